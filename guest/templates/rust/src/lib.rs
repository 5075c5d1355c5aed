//! An HTTP service: GET / greets, GET /count counts in a key-value bucket.

use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

// wasi:keyvalue is not in the wasip2 crate: its bindings are made of wit/.
mod keyvalue {
    wit_bindgen::generate!({ path: "wit", world: "service", generate_all });
}
use keyvalue::wasi::keyvalue::{atomics, store};

struct Service;

wasip2::http::proxy::export!(Service);

impl wasip2::exports::http::incoming_handler::Guest for Service {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        match path.split('?').next() {
            Some("/") => answer(out, 200, "Hello from @NAME@\n"),
            Some("/count") => match count() {
                Ok(n) => answer(out, 200, &format!("{n}\n")),
                Err(error) => answer(out, 500, &format!("{error:?}\n")),
            },
            _ => answer(out, 404, "not found\n"),
        }
    }
}

/// One more, kept in a bucket that must be granted.
fn count() -> Result<i64, store::Error> {
    let bucket = store::open("default")?;
    atomics::increment(&bucket, "hits", 1)
}

fn answer(out: ResponseOutparam, status: u16, text: &str) {
    let headers = [("content-type".to_string(), b"text/plain".to_vec())];
    let headers = Fields::from_list(&headers).expect("headers of our own");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("a valid status");
    let body = response.body().expect("taken once");
    ResponseOutparam::set(out, Ok(response));

    // A client that left is no error of ours.
    let stream = body.write().expect("taken once");
    let _ = stream.blocking_write_and_flush(text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
