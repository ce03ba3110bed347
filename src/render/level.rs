//! The levels of detail, from everything to almost nothing: what a reader misses least goes first.
//!
//! The order: lines of a log, the description, steps after the first, further places, durations and links; then the summary
//! gets shorter, alerts are counted instead of named, and last go the threshold and the kind of trouble.

/// How much is shown of each thing, in characters or in number.
#[derive(PartialEq)]
pub(super) struct Level {
    /// Its place in the order.
    pub(super) number: usize,
    pub(super) name: usize,
    pub(super) summary: usize,
    pub(super) description: usize,
    pub(super) message: usize,
    /// The widest ones; with 0 the kind of trouble goes, too.
    pub(super) places: usize,
    /// Do rows say for how long?
    pub(super) durations: bool,
    /// Columns of a fold; with 0 the rest is only counted.
    pub(super) fold: usize,
    pub(super) what: usize,
    pub(super) links: usize,
    pub(super) still: usize,
    /// Bytes.
    pub(super) steps: usize,
    /// Lines of a log: all that a face has room for, one, or none.
    pub(super) evidence: usize,
    /// Is the threshold shown?
    pub(super) limit: bool,
}

/// How many levels there are.
pub(super) const LEVEL_COUNT: usize = 7;

/// From everything to almost nothing.
pub(super) const LEVELS: [Level; LEVEL_COUNT] = [
    Level {
        number: 0,
        name: 80,
        summary: 240,
        description: 400,
        message: 1500,
        places: 4,
        durations: true,
        fold: 72,
        what: 80,
        links: 5,
        still: 12,
        steps: 800,
        evidence: 3,
        limit: true,
    },
    Level {
        number: 1,
        name: 80,
        summary: 200,
        description: 120,
        message: 700,
        places: 4,
        durations: true,
        fold: 60,
        what: 80,
        links: 5,
        still: 12,
        steps: 420,
        evidence: 1,
        limit: true,
    },
    Level {
        number: 2,
        name: 80,
        summary: 160,
        description: 0,
        message: 360,
        places: 4,
        durations: true,
        fold: 60,
        what: 60,
        links: 4,
        still: 6,
        steps: 230,
        evidence: 0,
        limit: true,
    },
    Level {
        number: 3,
        name: 60,
        summary: 100,
        description: 0,
        message: 180,
        places: 2,
        durations: false,
        fold: 60,
        what: 40,
        links: 2,
        still: 3,
        steps: 230,
        evidence: 0,
        limit: true,
    },
    Level {
        number: 4,
        name: 40,
        summary: 60,
        description: 0,
        message: 100,
        places: 2,
        durations: false,
        fold: 40,
        what: 32,
        links: 1,
        still: 0,
        steps: 130,
        evidence: 0,
        limit: true,
    },
    Level {
        number: 5,
        name: 26,
        summary: 36,
        description: 0,
        message: 60,
        places: 1,
        durations: false,
        fold: 0,
        what: 24,
        links: 1,
        still: 0,
        steps: 0,
        evidence: 0,
        limit: false,
    },
    Level {
        number: 6,
        name: 14,
        summary: 0,
        description: 0,
        message: 30,
        places: 0,
        durations: false,
        fold: 0,
        what: 16,
        links: 0,
        still: 0,
        steps: 0,
        evidence: 0,
        limit: false,
    },
];
/// From here on alerts are counted rather than shown with even less detail.
pub(super) const COMPACT: usize = 3;
