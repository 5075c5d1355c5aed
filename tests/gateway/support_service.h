/* support_service.h - one C behaviour that does what the path of the request says
 * (support_service.c lists them). */
#ifndef HF_TESTS_GATEWAY_SUPPORT_SERVICE_H
#define HF_TESTS_GATEWAY_SUPPORT_SERVICE_H

#include "kernel/behaviour.h"

extern const struct hf_behaviour service;

#endif
