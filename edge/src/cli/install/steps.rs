//! What an installation changed, as it will be told.

/// In order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Steps(Vec<(bool, String)>);

impl Steps {
    /// Something that either had to be done now, or was so already.
    pub fn note(&mut self, changed: bool, what: impl Into<String>) {
        self.0.push((changed, what.into()));
    }

    pub fn changed(&self) -> usize {
        self.0.iter().filter(|(changed, _)| *changed).count()
    }

    pub fn tell(&self) {
        for (changed, what) in &self.0 {
            println!("{}  {what}", if *changed { "done" } else { "kept" });
        }
        match self.changed() {
            0 => println!("nothing had to be changed"),
            n => println!("{n} of {} steps changed something", self.0.len()),
        }
    }
}
