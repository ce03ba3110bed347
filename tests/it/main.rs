//! wegraf as a whole: real HTTP, the real store, the simulator. One file per behaviour.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

mod browser;
mod golden;
mod grafana_stand_in;
mod harness;
mod intake;
mod liar;
mod order;
mod page;
mod process;
mod programs;
mod proxy;
mod record;
mod routing;

mod acting;
mod acts;
mod bad_input;
mod bots;
mod bots_cli;
mod bots_trouble;
mod cards;
mod cli;
mod crash;
mod docs;
mod dropin;
mod duty;
mod engine;
mod errcodes;
mod escalation;
mod faults_network;
mod kills;
mod matrix;
mod migrate_store;
mod names;
mod replicas;
mod replicas_bot;
mod seed;
mod silences;
mod silences_acts;
mod silences_cli;
mod silences_faults;
mod silences_grafana;
mod storm;
mod strange_bodies;
mod templates;
mod witness_alertmanager;
mod witness_bots;
mod witness_captures;
mod witness_clients;
mod witness_pair;
mod witness_phone;
mod witness_press;
mod witness_prometheus;
mod witness_wechat;
