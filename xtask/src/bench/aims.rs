//! The figures that have an aim, gathered from all sections into one table.

/// Lines of the table, in the order in which they were measured.
#[derive(Debug, Default)]
pub struct Aims(Vec<[String; 3]>);

impl Aims {
    /// `what` came out as `value`; `aim` says what it should be.
    pub fn add(&mut self, what: &str, value: String, aim: &str) {
        self.0.push([what.to_owned(), value, aim.to_owned()]);
    }

    /// Prints the table, if there is anything in it.
    pub fn print(&self) {
        if self.0.is_empty() {
            return;
        }
        println!("\n## Aims\n");
        println!("| | | aim |\n|---|---:|---|");
        for [what, value, aim] in &self.0 {
            println!("| {what} | {value} | {aim} |");
        }
    }
}
