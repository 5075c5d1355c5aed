/* warm.h - are objects of requests kept to be used again? Under AddressSanitizer they are not: a use of one that was given
 * back must not be hidden by keeping it.
 */
#ifndef HF_GATEWAY_WARM_H
#define HF_GATEWAY_WARM_H

#ifdef __SANITIZE_ADDRESS__
#define HF_GATEWAY_WARM 0
#else
#define HF_GATEWAY_WARM 1
#endif

#endif
