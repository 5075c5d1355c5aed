//! A folder over HTTP, with nothing but the standard library's `std::fs`: GET reads a file or lists a
//! folder, PUT writes, POST appends, DELETE removes, MKCOL makes a folder. What it may touch is what
//! was granted: `holdfast serve files.wasm --dir ./shared::/data`.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::StreamError;

struct Files;

wasip2::http::proxy::export!(Files);

fn body_of(request: &IncomingRequest) -> Vec<u8> {
    let mut all = Vec::new();
    let body = request.consume().expect("taken once");
    let stream = body.stream().expect("taken once");
    loop {
        match stream.blocking_read(65536) {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => break,
            Err(_) => break,
        }
    }
    drop(stream);
    IncomingBody::finish(body);
    all
}

fn list(path: &Path) -> io::Result<Vec<u8>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
        names.push(format!("{}{}\n", entry.file_name().to_string_lossy(), slash));
    }
    names.sort();
    Ok(names.concat().into_bytes())
}

fn serve(method: &Method, path: &Path, request: &IncomingRequest) -> io::Result<Vec<u8>> {
    match method {
        Method::Get if fs::metadata(path)?.is_dir() => list(path),
        Method::Get => {
            let mut bytes = Vec::new();
            fs::File::open(path)?.read_to_end(&mut bytes)?;
            Ok(bytes)
        }
        Method::Put => {
            let mut file = fs::File::create(path)?;
            file.write_all(&body_of(request))?;
            file.sync_all()?;
            Ok(Vec::new())
        }
        Method::Post => {
            let mut file = fs::OpenOptions::new().append(true).open(path)?;
            file.write_all(&body_of(request))?;
            Ok(Vec::new())
        }
        Method::Delete if fs::symlink_metadata(path)?.is_dir() => fs::remove_dir_all(path).map(|_| Vec::new()),
        Method::Delete => fs::remove_file(path).map(|_| Vec::new()),
        Method::Other(name) if name == "MKCOL" => fs::create_dir(path).map(|_| Vec::new()),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn status_of(error: &io::Error) -> u16 {
    match error.kind() {
        io::ErrorKind::NotFound => 404,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => 403,
        io::ErrorKind::AlreadyExists => 409,
        _ => 500,
    }
}

impl wasip2::exports::http::incoming_handler::Guest for Files {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (status, bytes) = match serve(&request.method(), Path::new(&path), &request) {
            Ok(bytes) => (200, bytes),
            Err(error) => (status_of(&error), format!("{error}\n").into_bytes()),
        };
        let length = ("content-length".to_string(), bytes.len().to_string().into_bytes());
        let response = OutgoingResponse::new(Fields::from_list(&[length]).expect("a header of our own"));
        response.set_status_code(status).expect("a status of our own");
        let body = response.body().expect("taken once");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("taken once");
        for piece in bytes.chunks(4096) {
            if stream.blocking_write_and_flush(piece).is_err() {
                return; // the client left
            }
        }
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
