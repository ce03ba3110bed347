//! wegraf as a whole: real HTTP, the real store, the simulator. One file per behaviour.

mod harness;
mod process;

mod bad_input;
mod crash;
mod errcodes;
mod seed;
