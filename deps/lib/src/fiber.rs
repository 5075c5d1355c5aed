//! `hf_deps_fiber_*`: a host function called on a fiber again and again, as `wasmtime_func_call_async`
//! calls it once. What differs is what is done for each call: the function's type is looked at when
//! the caller is made and not before and within each call, and the future lies in the same place.

use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wasmtime::{Func, Result};
use wasmtime_c_api::{wasmtime_error_t, WasmtimeStoreContextMut};

type Store = WasmtimeStoreContextMut<'static>;

trait Calls {
    fn begin(&mut self, store: Store);
    fn poll(&mut self) -> Poll<Result<()>>;
    fn end(&mut self);
}

/// The place of one future, which `make` makes.
struct Slot<M, F> {
    make: M,
    future: Option<F>,
}

impl<M: FnMut(Store) -> F, F: Future<Output = Result<()>>> Calls for Slot<M, F> {
    fn begin(&mut self, store: Store) {
        self.future = Some((self.make)(store));
    }
    fn poll(&mut self) -> Poll<Result<()>> {
        let future = self.future.as_mut().expect("a call has begun");
        // Boxed below, and dropped in place by `end`: it does not move.
        unsafe { Pin::new_unchecked(future) }.poll(&mut Context::from_waker(Waker::noop()))
    }
    fn end(&mut self) {
        self.future = None;
    }
}

pub struct Fiber(Box<dyn Calls>);

/// # Safety
/// `func` takes and returns nothing, and both live in one store, which outlives the result.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_fiber_new(store: Store, func: &Func) -> Option<Box<Fiber>> {
    let typed = Rc::new(func.typed::<(), ()>(&store).ok()?);
    let make = move |mut store: Store| {
        let typed = Rc::clone(&typed); // of the function itself: a lock in the engine
        async move { typed.call_async(&mut store, ()).await }
    };
    Some(Box::new(Fiber(Box::new(Slot { make, future: None }))))
}

/// # Safety
/// No call of this store is under way.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_fiber_begin(fiber: &mut Fiber, store: Store) {
    fiber.0.begin(store);
}

/// # Safety
/// A call has begun and not ended. `error` can be written to.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_fiber_poll(
    fiber: &mut Fiber,
    error: *mut *mut wasmtime_error_t,
) -> bool {
    let (done, failed) = match fiber.0.poll() {
        Poll::Pending => (false, ptr::null_mut()),
        Poll::Ready(Ok(())) => (true, ptr::null_mut()),
        Poll::Ready(Err(e)) => (true, Box::into_raw(Box::new(wasmtime_error_t::from(e)))),
    };
    unsafe { *error = failed };
    done
}

/// # Safety
/// The store still lives.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_fiber_end(fiber: &mut Fiber) {
    fiber.0.end();
}

/// # Safety
/// No call is under way; `fiber` is given up, and may be none.
#[no_mangle]
pub unsafe extern "C" fn hf_deps_fiber_free(fiber: Option<Box<Fiber>>) {
    drop(fiber);
}
