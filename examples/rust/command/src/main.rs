//! A plain Rust program as a command: cargo build --target wasm32-wasip2
use std::io::{IsTerminal, Read, Write};

fn cat() -> std::io::Result<()> {
    let mut buf = vec![0; 65536];
    loop {
        let n = std::io::stdin().read(&mut buf)?;
        if n == 0 {
            return std::io::stdout().flush();
        }
        std::io::stdout().write_all(&buf[..n])?;
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = args.get(2).and_then(|a| a.parse().ok()).unwrap_or(0);
    match args.get(1).map_or("hello", String::as_str) {
        "hello" => println!("hello from Rust"),
        "args" => args.iter().for_each(|a| println!("{a}")),
        "env" => std::env::vars().for_each(|(k, v)| println!("{k}={v}")),
        "cat" => {
            if let Err(error) = cat() {
                eprintln!("{error}");
                std::process::exit(3);
            }
        }
        "grow" => {
            let blocks: Vec<Vec<u8>> = (0..number).map(|i| vec![i as u8; 1 << 20]).collect();
            println!("grew {}", blocks.iter().map(Vec::len).sum::<usize>());
        }
        "sleep" => {
            std::thread::sleep(std::time::Duration::from_millis(number as u64));
            println!("true");
        }
        "tty" => println!(
            "{}{}{}",
            std::io::stdin().is_terminal() as u8,
            std::io::stdout().is_terminal() as u8,
            std::io::stderr().is_terminal() as u8
        ),
        "exit" => std::process::exit(number),
        "trap" => panic!("as asked"),
        what => {
            eprintln!("command: what is '{what}'?");
            std::process::exit(2);
        }
    }
}
