//! A part of many models: the `k`-th of `n`, for one of several machines.

use std::str::FromStr;

/// Every `of`-th model, beginning with number `part`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: usize,
    of: usize,
}

impl Default for Shard {
    /// All of them.
    fn default() -> Self {
        Self { part: 1, of: 1 }
    }
}

impl Shard {
    /// Whether the model at this place of the manifest, from 0, belongs to it.
    pub fn has(self, index: usize) -> bool {
        index % self.of == self.part - 1
    }

    /// Whether it is all of them.
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// "2-of-8", for names of files.
    pub fn name(self) -> String {
        format!("{}-of-{}", self.part, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads "2/8", the second of eight.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no part of the models; the second of eight is written 2/8");
        let (part, of) = text.split_once('/').ok_or_else(wrong)?;
        let (part, of) = (part.parse().map_err(|_| wrong())?, of.parse().map_err(|_| wrong())?);
        if part == 0 || part > of {
            return Err(wrong());
        }
        Ok(Self { part, of })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_parts_hold_every_model_once() {
        let parts: Vec<Shard> = ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().unwrap()).collect();
        for index in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.has(index)).count(), 1, "{index}");
        }
        assert!((0..10).all(|index| Shard::default().has(index)));
        assert_eq!(
            (parts[1].name().as_str(), parts[1].is_whole(), Shard::default().is_whole()),
            ("2-of-3", false, true)
        );
    }

    #[test]
    fn what_is_no_part_is_refused_in_words() {
        for text in ["", "2", "0/3", "4/3", "a/b", "1/0", "-1/2"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("written 2/8"), "{text}");
        }
    }
}
