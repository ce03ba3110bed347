//! A press of a card's button: the same type for an app's callback and a bot's socket.

/// A press of a button, a submitted choice or a use of the menu of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Click {
    /// Userid of the user; compare it without regard to case (page 90236).
    pub from: String,
    /// Key of the button, of the submit button or of the entry of the menu.
    pub key: String,
    /// `task_id` of the card.
    pub task_id: String,
    /// `card_type` of the card; empty if WeCom does not tell.
    pub card_type: String,
    /// Handle for one update of the card within 72 h; only an app's click brings one (page 90240).
    pub response_code: Option<String>,
    /// For each question its key and the ids of the chosen options, as far as WeCom sent them.
    pub selected: Vec<(String, Vec<String>)>,
    /// When it was pressed, Unix seconds; 0 if WeCom does not tell.
    pub created_at: i64,
    /// Whether it was the menu in the card's upper right corner; a bot does not tell.
    pub menu: bool,
}

impl Click {
    /// The first option chosen for `question`.
    pub fn chosen(&self, question: &str) -> Option<&str> {
        let (_, options) = self.selected.iter().find(|(key, _)| key == question)?;
        options.first().map(String::as_str)
    }
}

/// Whether `id` can name a person: not empty, at most 64 bytes (page 90236), nothing that could break a line or a list.
pub(crate) fn names_a_member(id: &str) -> bool {
    (1..=64).contains(&id.len()) && !id.contains(|c: char| c.is_whitespace() || c.is_control() || c == '|')
}
