//! A shop of two classes from one component, told apart by their names: `cart/NAME`, one process a customer, and `stock`, which has
//! the goods. Requests are a line of text, from the command line or from other processes:
//!
//!     holdfast call stock "fill apples 5"
//!     holdfast call cart/anna "add apples 3"
//!     holdfast call cart/anna checkout          asks stock for each line, then answers
//!     holdfast call cart/anna show
//!
//! A checkout is sent, not awaited: while stock is asked the cart takes other requests, and the one that waits is answered by the
//! last of stock's answers, whoever came meanwhile. What stock has not enough of stays in the cart.

use std::cell::RefCell;
use std::collections::BTreeMap;

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "service", generate_all });
}
use bindings::exports::holdfast::kernel::handler::Guest;
use bindings::holdfast::kernel::messages::{
    self, BlobChoice, Message, Notice, Outgoing, Refusal, Reply, Wish,
};
use bindings::holdfast::kernel::processes;

/// What is asked of stock in a checkout's messages, and comes back with the answers.
struct Checkout {
    token: u64,
    open: usize,
    said: Vec<String>,
}

#[derive(Default)]
struct State {
    goods: BTreeMap<String, u32>,
    checkout: Option<Checkout>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn reply(text: String) -> Reply {
    Reply {
        body: text.into_bytes(),
        metadata: None,
        blob: BlobChoice::None,
        capabilities: Vec::new(),
    }
}

/// Who asked may have left: nothing is to be done about it.
fn answer(text: String) {
    let _ = messages::respond(reply(text));
}

fn ask_stock(line: &str, context: &str) -> Result<u64, Refusal> {
    let to = Outgoing {
        target: "stock".to_string(),
        body: line.as_bytes().to_vec(),
        metadata: None,
        blob: BlobChoice::None,
        capabilities: Vec::new(),
    };
    let wish = Wish {
        timeout: Some(5_000_000_000),
        context: context.as_bytes().to_vec(),
        park: true,
    };
    messages::send(to, &wish)
}

fn show(goods: &BTreeMap<String, u32>) -> String {
    let lines: Vec<String> = goods
        .iter()
        .map(|(what, n)| format!("{what} {n}"))
        .collect();
    if lines.is_empty() {
        "nothing".to_string()
    } else {
        lines.join(", ")
    }
}

fn begin_checkout(state: &mut State) -> Result<(), String> {
    if state.checkout.is_some() {
        return Err("a checkout is under way".to_string());
    }
    if state.goods.is_empty() {
        return Err("nothing".to_string());
    }
    let token = messages::defer().map_err(|why| format!("{why:?}"))?;
    let mut checkout = Checkout {
        token,
        open: 0,
        said: Vec::new(),
    };
    for (what, n) in &state.goods {
        match ask_stock(&format!("take {what} {n}"), &format!("{token} {what}")) {
            Ok(_) => checkout.open += 1,
            Err(why) => checkout.said.push(format!("{what}: {why:?}")),
        }
    }
    state.checkout = Some(checkout);
    finish(state);
    Ok(())
}

/// Stock has said something about what the context names: the token of the checkout it was asked for, and the goods. That checkout may
/// be over, for its customer left; what stock gave is his all the same.
fn one_line(state: &mut State, context: &[u8], said: Result<(), String>) {
    let context = String::from_utf8_lossy(context);
    let (token, what) = context.split_once(' ').unwrap_or(("", &context));
    if said.is_ok() {
        state.goods.remove(what);
    }
    let Some(checkout) = &mut state.checkout else {
        return;
    };
    if token != checkout.token.to_string() {
        return;
    }
    checkout.open -= 1;
    checkout.said.push(match said {
        Ok(()) => format!("{what}: yours"),
        Err(why) => format!("{what}: {why}"),
    });
    finish(state);
}

/// Answers whoever waits for the checkout when there is nothing to wait for any more.
fn finish(state: &mut State) {
    if let Some(checkout) = state.checkout.take_if(|c| c.open == 0) {
        let _ = messages::answer(checkout.token, reply(checkout.said.join(", ")));
    }
}

fn cart(state: &mut State, words: &[&str]) {
    match words {
        ["add", what, n] if n.parse::<u32>().is_ok() => {
            let n: u32 = n.parse().expect("it was looked at");
            let line = state.goods.entry(what.to_string()).or_default();
            *line = line.saturating_add(n);
            answer(show(&state.goods));
        }
        ["show"] => answer(show(&state.goods)),
        ["checkout"] => {
            if let Err(why) = begin_checkout(state) {
                answer(why);
            }
        }
        _ => answer("add WHAT N, show or checkout".to_string()),
    }
}

fn stock(state: &mut State, words: &[&str]) {
    match words {
        ["fill", what, n] if n.parse::<u32>().is_ok() => {
            state
                .goods
                .insert(what.to_string(), n.parse().expect("it was looked at"));
            answer(show(&state.goods));
        }
        ["take", what, n] => {
            let have = state.goods.get(*what).copied().unwrap_or(0);
            match n.parse::<u32>() {
                Ok(n) if n <= have => {
                    state.goods.insert(what.to_string(), have - n);
                    answer("yours".to_string());
                }
                _ => answer(format!("only {have}")),
            }
        }
        ["show"] => answer(show(&state.goods)),
        _ => answer("fill WHAT N, take WHAT N or show".to_string()),
    }
}

struct Shop;

impl Guest for Shop {
    fn handle(message: Message) {
        STATE.with_borrow_mut(|state| match message {
            Message::Request(request) => {
                let line = String::from_utf8_lossy(&request.body).into_owned();
                let words: Vec<&str> = line.split_whitespace().collect();
                if processes::name().starts_with("stock") {
                    stock(state, &words);
                } else {
                    cart(state, &words);
                }
            }
            Message::Response(response) => {
                let said = match response.body.as_slice() {
                    b"yours" => Ok(()),
                    other => Err(String::from_utf8_lossy(other).into_owned()),
                };
                one_line(state, &response.context, said);
            }
            Message::Failure(failure) => {
                let why = format!("{:?}", failure.kind).to_lowercase();
                one_line(state, &failure.context, Err(why));
            }
            Message::Notice(Notice::Unwanted(_)) => state.checkout = None, // the customer has left
            Message::Notice(_) => {}
        });
    }
}

bindings::export!(Shop with_types_in bindings);
