//! Which label a word stands for, and what each label is called.
//!
//! A number is the label's index. Words are matched with a list of names where one is given or lies
//! beside the images; else a number in front of each ("07 no entry") is taken for what it is, and other words are
//! numbered in natural order.

use super::Wanted;
use crate::disk;
use crate::images::ImageError;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// More labels than any image classifier has.
pub(super) const MAX_LABELS: usize = 65_536;
/// Longest list of names that is read, in bytes.
const MAX_LIST_BYTES: u64 = 8 << 20;
/// Lists of names people put beside images.
const LISTS_BESIDE: [&str; 3] = ["classes.txt", "class_names.txt", "label_names.txt"];

/// Order in which a person would list names: runs of digits by their value, case ignored.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a.as_bytes(), b.as_bytes());
    while let (Some(&p), Some(&q)) = (x.first(), y.first()) {
        let order = if p.is_ascii_digit() && q.is_ascii_digit() {
            let (m, n) = (number(&mut x), number(&mut y));
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            (x, y) = (&x[1..], &y[1..]);
            p.to_ascii_lowercase().cmp(&q.to_ascii_lowercase())
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    x.len().cmp(&y.len()).then_with(|| a.cmp(b))
}

/// Takes the digits at the start of `text`; without leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (run, rest) = text.split_at(digits);
    *text = rest;
    let zeros = run.iter().take_while(|&&b| b == b'0').count();
    &run[zeros..]
}

/// Reads a text file with one name a line; blank lines at its end do not count.
///
/// # Errors
/// Where it cannot be read, is empty, or is no list of names.
pub(super) fn read_list(path: &Path) -> Result<Vec<String>, ImageError> {
    let wrong = |why: &str| ImageError::Mismatch(format!("{} is no list of label names: {why}", path.display()));
    let text = disk::read_text(path, MAX_LIST_BYTES).map_err(|why| match why.kind() {
        ErrorKind::FileTooLarge => wrong("it is too long"),
        ErrorKind::InvalidData => wrong("it is not text in UTF-8"),
        _ => ImageError::io(path, why),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_end();
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if names.len() > MAX_LABELS {
        return Err(wrong("it has more lines than any classifier has labels"));
    }
    Ok(names)
}

/// The list a person gave, or else a fitting one that lies beside the images.
struct List {
    names: Vec<String>,
    /// Set where a person gave it: then it must fit.
    given: Option<PathBuf>,
}

fn list(wanted: &Wanted, beside: &Path, more: &[&str]) -> Result<Option<List>, ImageError> {
    if let Some(path) = &wanted.label_names {
        return Ok(Some(List { names: read_list(path)?, given: Some(path.clone()) }));
    }
    let found = LISTS_BESIDE.iter().chain(more).map(|n| beside.join(n)).find(|p| p.is_file());
    // A list nobody asked for is no reason to fail.
    Ok(found.and_then(|p| read_list(&p).ok()).map(|names| List { names, given: None }))
}

/// Names of the labels `0..count`. `more` are further file names a list may have beside the images.
///
/// # Errors
/// [`ImageError::Mismatch`] where the list a person gave is too short.
pub(super) fn of_numbers(
    count: usize,
    wanted: &Wanted,
    beside: &Path,
    more: &[&str],
) -> Result<Vec<String>, ImageError> {
    match list(wanted, beside, more)? {
        Some(list) if list.names.len() >= count => Ok(list.names),
        Some(List { names, given: Some(path) }) => Err(too_short(&path, names.len(), count)),
        _ => Ok((0..count).map(|i| i.to_string()).collect()),
    }
}

fn too_short(path: &Path, names: usize, labels: usize) -> ImageError {
    ImageError::Mismatch(format!(
        "{} names {names} labels, but the images have {labels}: give one name a line, in the order of the model's labels",
        path.display()
    ))
}

/// The label each distinct word stands for, and the names of all labels.
///
/// # Errors
/// [`ImageError::Mismatch`] where the list a person gave does not fit, or a number is no label.
pub(super) fn of_words(
    words: &BTreeSet<String>,
    wanted: &Wanted,
    beside: &Path,
) -> Result<(HashMap<String, usize>, Vec<String>), ImageError> {
    if let Some(numbers) = words.iter().map(|w| as_number(w)).collect::<Option<Vec<u64>>>() {
        let highest = numbers.iter().copied().max().unwrap_or(0);
        if highest >= MAX_LABELS as u64 {
            return Err(ImageError::Mismatch(format!(
                "the images have a label {highest}, but no classifier has more than {MAX_LABELS}"
            )));
        }
        let names = of_numbers(highest as usize + 1, wanted, beside, &[])?;
        return Ok((words.iter().cloned().zip(numbers.iter().map(|&n| n as usize)).collect(), names));
    }
    if words.len() > MAX_LABELS {
        return Err(ImageError::Mismatch(format!(
            "the images have {} labels, but no classifier has more than {MAX_LABELS}",
            words.len()
        )));
    }
    let mut sorted: Vec<&String> = words.iter().collect();
    sorted.sort_by(|a, b| natural(a, b));
    let in_order = || sorted.iter().enumerate().map(|(i, &w)| (w.clone(), i)).collect();
    let by_themselves =
        || numbered(words).unwrap_or_else(|| (in_order(), sorted.iter().copied().cloned().collect::<Vec<_>>()));
    let Some(List { names, given }) = list(wanted, beside, &[])? else {
        return Ok(by_themselves());
    };
    let lines: HashMap<String, usize> = names.iter().enumerate().rev().map(|(i, n)| (n.to_lowercase(), i)).collect();
    let matched: Option<HashMap<String, usize>> =
        words.iter().map(|w| lines.get(&w.trim().to_lowercase()).map(|&i| (w.clone(), i))).collect();
    match (matched, given) {
        (Some(labels), _) => Ok((labels, names)),
        (None, Some(_)) if names.len() == words.len() => Ok((in_order(), names)),
        (None, Some(path)) => Err(ImageError::Mismatch(format!(
            "{} names {} labels, but the images have {}, with other names: give the same names, or as many",
            path.display(),
            names.len(),
            words.len()
        ))),
        (None, None) => Ok(by_themselves()),
    }
}

/// Labels and names of words that each begin with a number of their own: "07 no entry". Numbers without a gap, from 0 or 1, only
/// give the order; with gaps they are labels where they are written as such, "03" and "07": "2-door" and "4-door" are names.
fn numbered(words: &BTreeSet<String>) -> Option<(HashMap<String, usize>, Vec<String>)> {
    let mut found = Vec::with_capacity(words.len());
    for word in words {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let (number, name) = word.split_at(digits);
        let name = name.strip_prefix([' ', '_', '-', '.', ':'])?.trim_start_matches([' ', '_', '-', '.', ':']);
        if name.is_empty() {
            return None;
        }
        found.push((word, number.parse::<usize>().ok().filter(|n| *n < MAX_LABELS)?, number, name));
    }
    found.sort_by_key(|f| f.1);
    if found.windows(2).any(|two| two[0].1 == two[1].1) {
        return None;
    }
    let (first, last) = (found.first()?, found.last()?);
    let padded = found.iter().all(|f| f.2.len() == first.2.len()) && first.2.len() > 1 && first.2.starts_with('0');
    let from = match (first.1, last.1 + 1 - first.1 == found.len(), padded) {
        (0 | 1, true, _) => first.1,
        (_, false, true) => 0,
        _ => return None,
    };
    let mut names: Vec<String> = (0..=last.1 - from).map(|label| label.to_string()).collect();
    let labels = found.into_iter().map(|(word, number, _, name)| {
        names[number - from] = name.to_owned();
        (word.clone(), number - from)
    });
    Some((labels.collect(), names))
}

fn as_number(word: &str) -> Option<u64> {
    let word = word.trim();
    let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    // Too many digits for a number is still a number, only no label.
    digits.then(|| word.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|&w| w.to_owned()).collect()
    }

    #[test]
    fn names_sort_as_a_person_sorts_them() {
        let mut names = vec!["10", "2", "a10", "A2", "b", "1", "a02x"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["1", "2", "10", "A2", "a02x", "a10", "b"]);
    }

    #[test]
    fn a_number_is_the_label_and_gaps_are_filled() {
        let dir = tempfile::tempdir().unwrap();
        let (labels, names) = of_words(&set(&["00014", "00002"]), &Wanted::default(), dir.path()).unwrap();
        assert_eq!((labels["00014"], labels["00002"], names.len()), (14, 2, 15));
        assert_eq!(names[14], "14");
    }

    #[test]
    fn a_list_decides_the_order_of_words() {
        let dir = tempfile::tempdir().unwrap();
        let words = set(&["cat", "dog"]);
        let (labels, _) = of_words(&words, &Wanted::default(), dir.path()).unwrap();
        assert_eq!((labels["cat"], labels["dog"]), (0, 1));
        std::fs::write(dir.path().join("classes.txt"), "bird\nDog\nCat\n\n").unwrap();
        let (labels, names) = of_words(&words, &Wanted::default(), dir.path()).unwrap();
        assert_eq!((labels["cat"], labels["dog"], names.len()), (2, 1, 3));
    }

    #[test]
    fn a_number_in_front_of_a_name_is_the_label_and_no_part_of_the_name() {
        let dir = tempfile::tempdir().unwrap();
        let of = |words: &[&str]| of_words(&set(words), &Wanted::default(), dir.path()).unwrap();
        let (labels, names) = of(&["0 stop", "1 yield", "2_no_entry"]);
        assert_eq!((labels["2_no_entry"], names), (2, vec!["stop".to_owned(), "yield".into(), "no_entry".into()]));
        let (labels, names) = of(&["01.cat", "02.dog"]);
        assert_eq!((labels["01.cat"], labels["02.dog"], names), (0, 1, vec!["cat".to_owned(), "dog".into()]));
        let (labels, names) = of(&["03 stop", "07 no entry"]);
        assert_eq!((labels["03 stop"], labels["07 no entry"], names.len()), (3, 7, 8));
        assert_eq!((names[7].as_str(), names[4].as_str()), ("no entry", "4"));
        for words in [["2-door", "4-door"], ["3d", "4x4"], ["0 a", "0 b"], ["00", "01 x"]] {
            let (labels, names) = of(&words);
            assert_eq!((labels[words[0]], labels[words[1]]), (0, 1));
            assert_eq!(names, words);
        }
    }

    #[test]
    fn a_given_list_must_fit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.txt");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        let wanted = Wanted { label_names: Some(path.clone()), ..Wanted::default() };
        assert_eq!(of_numbers(2, &wanted, dir.path(), &[]).unwrap(), ["one", "two"]);
        let sentence = of_numbers(3, &wanted, dir.path(), &[]).unwrap_err().to_string();
        assert!(sentence.contains("names 2 labels") && sentence.contains("have 3"), "{sentence}");
        let sentence = of_words(&set(&["x", "y", "z"]), &wanted, dir.path()).unwrap_err().to_string();
        assert!(sentence.contains("names 2 labels") && sentence.contains("have 3"), "{sentence}");
        assert_eq!(of_words(&set(&["x", "y"]), &wanted, dir.path()).unwrap().0["y"], 1);
        for bad in [&b""[..], b"\n\n", &[0xff, 0xfe, 0x00]] {
            std::fs::write(&path, bad).unwrap();
            assert!(
                of_numbers(2, &wanted, dir.path(), &[]).unwrap_err().to_string().contains("no list of label names")
            );
        }
    }

    #[test]
    fn a_number_no_classifier_has_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for word in ["70000", "99999999999999999999999999"] {
            let error = of_words(&set(&[word]), &Wanted::default(), dir.path()).unwrap_err();
            assert!(matches!(error, ImageError::Mismatch(_)), "{error}");
        }
    }
}
