//! The allocator of wegraf: jemalloc, which gives memory back to the system after a burst of large bodies, also that of
//! SQLite. The system's own allocator keeps it.

use std::ffi::{CStr, c_char};

/// Set with `#[global_allocator]`.
pub use tikv_jemallocator::Jemalloc;

/// The settings, as `man jemalloc` lists them: what was freed goes back after a fifth of a second, and there are two places to
/// keep it, since what one thread keeps another cannot use. With the defaults it goes back after ten seconds, and the
/// bound of `memory` does not hold.
const SETTINGS: &CStr = c"background_thread:true,dirty_decay_ms:200,muzzy_decay_ms:0,narenas:2";

/// A pointer to text that lives as long as the program.
#[repr(transparent)]
#[derive(Debug)]
pub struct Text(*const c_char);

#[expect(unsafe_code, reason = "the text is constant: any thread may read it at any time")]
// SAFETY: the pointer leads to a constant.
unsafe impl Sync for Text {}

/// Where jemalloc looks for settings of the program (`man jemalloc`, TUNING): on Linux under this name.
#[expect(unsafe_code, reason = "the name of the symbol is fixed by jemalloc")]
#[unsafe(export_name = "malloc_conf")]
pub static MALLOC_CONF: Text = Text(SETTINGS.as_ptr());

/// The same name where jemalloc does not take the place of the system's `malloc`.
#[expect(unsafe_code, reason = "the name of the symbol is fixed by jemalloc")]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static PREFIXED: Text = Text(SETTINGS.as_ptr());
