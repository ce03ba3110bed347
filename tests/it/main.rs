//! wegraf as a whole: real HTTP, the real store, the simulator. One file per behaviour.

mod harness;
mod intake;
mod order;
mod process;
mod programs;
mod routing;

mod bad_input;
mod cli;
mod crash;
mod errcodes;
mod seed;
mod templates;
mod witness_alertmanager;
mod witness_clients;
mod witness_prometheus;
mod witness_wechat;
