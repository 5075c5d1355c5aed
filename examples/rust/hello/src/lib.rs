//! The smallest service: one text for every request.

use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Hello;

wasip2::http::proxy::export!(Hello);

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let text = b"Hello from Rust\n";
        let headers = [
            ("content-type".to_string(), b"text/plain".to_vec()),
            (
                "content-length".to_string(),
                text.len().to_string().into_bytes(),
            ),
        ];
        let headers = Fields::from_list(&headers).expect("headers of our own");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("taken once");
        ResponseOutparam::set(out, Ok(response));

        // A client that left is no error of ours.
        let stream = body.write().expect("taken once");
        let _ = stream.blocking_write_and_flush(text);
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
