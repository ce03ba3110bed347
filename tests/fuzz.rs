//! The fuzz targets with the inputs of their corpus: what was found stays mended, and the targets build. Fuzzing itself
//! is `cargo xtask fuzz`.

#![expect(unused_attributes, reason = "as a program of its own each target has no `main`")]

// The targets name these two crates; here both are this one.
extern crate self as libfuzzer_sys;
extern crate self as wegraf_fuzz;

use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
pub use shared::*;

/// Stands in for libfuzzer's macro: a function that runs the target with one input.
macro_rules! target {
    (|$input:ident: $kind:ty| $body:block) => {
        pub fn run(bytes: &[u8]) {
            let Some($input) = crate::taken::<$kind>(bytes) else { return };
            $body
        }
    };
}
pub(crate) use target as fuzz_target;

#[path = "../fuzz/src/lib.rs"]
mod shared;

#[path = "../fuzz/fuzz_targets/callback.rs"]
mod callback;
#[path = "../fuzz/fuzz_targets/config.rs"]
mod config;
#[path = "../fuzz/fuzz_targets/details_link.rs"]
mod details_link;
#[path = "../fuzz/fuzz_targets/expression.rs"]
mod expression;
#[path = "../fuzz/fuzz_targets/form.rs"]
mod form;
#[path = "../fuzz/fuzz_targets/frame.rs"]
mod frame;
#[path = "../fuzz/fuzz_targets/ingest.rs"]
mod ingest;
#[path = "../fuzz/fuzz_targets/matchers.rs"]
mod matchers;
#[path = "../fuzz/fuzz_targets/payloads.rs"]
mod payloads;
#[path = "../fuzz/fuzz_targets/proof.rs"]
mod proof;
#[path = "../fuzz/fuzz_targets/query.rs"]
mod query;
#[path = "../fuzz/fuzz_targets/reader.rs"]
mod reader;
#[path = "../fuzz/fuzz_targets/relay.rs"]
mod relay;
#[path = "../fuzz/fuzz_targets/render.rs"]
mod render;
#[path = "../fuzz/fuzz_targets/reply.rs"]
mod reply;
#[path = "../fuzz/fuzz_targets/template.rs"]
mod template;
#[path = "../fuzz/fuzz_targets/window.rs"]
mod window;

/// The input that a target takes from these bytes, if they are one.
fn taken<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}

macro_rules! replayed {
    ($($target:ident),* $(,)?) => {
        const TARGETS: &[&str] = &[$(stringify!($target)),*];

        mod replayed {
            $(#[test]
            fn $target() {
                super::replay(stringify!($target), super::$target::run);
            })*
        }
    };
}

replayed!(
    callback,
    config,
    details_link,
    expression,
    form,
    frame,
    ingest,
    matchers,
    payloads,
    proof,
    query,
    reader,
    relay,
    render,
    reply,
    template,
    window,
);

/// Runs a target with each input of its corpus.
fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(&corpus).expect("each target has a corpus") {
        run(&entry.and_then(|entry| std::fs::read(entry.path())).expect("it is read"));
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", corpus.display());
}

#[test]
fn each_target_is_replayed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, TARGETS);
}
