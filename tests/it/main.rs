//! wegraf as a whole: real HTTP, the real store, the simulator. One file per behaviour.

mod harness;
mod intake;
mod process;
mod programs;

mod bad_input;
mod crash;
mod docs;
mod errcodes;
mod seed;
mod witness_alertmanager;
mod witness_clients;
mod witness_prometheus;
mod witness_wechat;
