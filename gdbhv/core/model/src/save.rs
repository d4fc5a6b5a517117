//! Saving and loading of a machine's state.
//!
//! Plain values are saved, in the layout of Borsh. What is derived from them (lines of the interrupt controller, contexts in use,
//! decoded code), what belongs to the debugger, and what is outside (sockets, files) is not. A type of plain values derives
//! `BorshSerialize` and `BorshDeserialize`, which makes it [`Save`]; any other type implements [`Save`] for the part that is saved.

use borsh::{BorshDeserialize, BorshSerialize};
use std::cell::RefCell;

/// Why saved state cannot be loaded, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub String);

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

/// A part of the state of a machine.
pub trait Save {
    /// Append the part's saved bytes.
    fn save(&self, to: &mut Vec<u8>);
    /// Load the part from the front of `from`.
    ///
    /// # Errors
    /// The bytes are cut short, not those of this part, or those of a part of another shape. The part may have been changed by then:
    /// whoever loads a whole machine must replace it.
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit>;
}

impl<T: BorshSerialize + BorshDeserialize> Save for T {
    fn save(&self, to: &mut Vec<u8>) {
        put(to, self);
    }
    fn load(&mut self, from: &mut &[u8]) -> Result<(), Unfit> {
        *self = take(from)?;
        Ok(())
    }
}

/// Append plain values.
pub fn put<T: BorshSerialize + ?Sized>(to: &mut Vec<u8>, value: &T) {
    value.serialize(to).expect("memory is no device that fails");
}

/// Take plain values from the front of `from`.
///
/// # Errors
/// The bytes are too few or invalid.
pub fn take<T: BorshDeserialize>(from: &mut &[u8]) -> Result<T, Unfit> {
    T::deserialize(from).map_err(|e| Unfit(format!("damaged: {e}")))
}

/// Append a part with its name and its length, so that an error can name the part.
pub fn put_part(to: &mut Vec<u8>, name: &str, part: &dyn Save) {
    put(to, name);
    let at = to.len();
    put(to, &0u32);
    part.save(to);
    let length = (to.len() - at - 4) as u32;
    to[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Take a part from the front of `from`.
///
/// # Errors
/// The bytes belong to another part, or [`Save::load`] fails or does not consume them all.
pub fn take_part(from: &mut &[u8], name: &str, part: &mut dyn Save) -> Result<(), Unfit> {
    let found: String = take(from)?;
    if found != name {
        return Err(Unfit(format!(
            "it has {found} where this machine has {name}"
        )));
    }
    let length: u32 = take(from)?;
    let Some((mut own, rest)) = from.split_at_checked(length as usize) else {
        return Err(Unfit(format!("{name} is cut short")));
    };
    *from = rest;
    part.load(&mut own)
        .map_err(|e| Unfit(format!("{name}: {e}")))?;
    match own.len() {
        0 => Ok(()),
        n => Err(Unfit(format!("{name} has {n} bytes too many"))),
    }
}

/// A cache of the saved bytes of a part that seldom changes: saving copies them, and loading is skipped if they are the same.
///
/// Whoever changes the part calls [`Kept::forget`].
#[derive(Default)]
pub struct Kept(RefCell<Option<Vec<u8>>>);

impl Kept {
    /// Discard the bytes, because the part changes.
    #[inline]
    pub fn forget(&mut self) {
        if self.0.get_mut().is_some() {
            *self.0.get_mut() = None;
        }
    }
    /// Append the part with its length; `part` saves it if there is no copy.
    pub fn save(&self, to: &mut Vec<u8>, part: impl FnOnce(&mut Vec<u8>)) {
        let mut kept = self.0.borrow_mut();
        let bytes = kept.get_or_insert_with(|| {
            let mut bytes = Vec::new();
            part(&mut bytes);
            bytes
        });
        put(to, &(bytes.len() as u32));
        to.extend_from_slice(bytes);
    }
    /// Take the bytes of the part from the front of `from`; None if they equal the present ones. After loading them, call [`Kept::is`].
    ///
    /// # Errors
    /// The bytes are too few.
    pub fn load<'a>(&mut self, from: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Unfit> {
        let length: u32 = take(from)?;
        let cut = || Unfit("damaged: a part is cut short".into());
        let (own, rest) = from.split_at_checked(length as usize).ok_or_else(cut)?;
        *from = rest;
        let same = self.0.get_mut().as_deref() == Some(own);
        if !same {
            self.forget();
        }
        Ok((!same).then_some(own))
    }
    /// Note that the part was loaded from the bytes `own`, of which `left` were not consumed.
    ///
    /// # Errors
    /// Some bytes are left.
    pub fn is(&mut self, own: &[u8], left: &[u8]) -> Result<(), Unfit> {
        if !left.is_empty() {
            return Err(Unfit("damaged: a part is too long".into()));
        }
        *self.0.get_mut() = Some(own.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_part_is_saved_anew_when_it_has_changed_and_loaded_when_it_differs() {
        let (mut kept, mut value) = (Kept::default(), 1u32);
        let save = |kept: &Kept, value: u32| {
            let mut to = Vec::new();
            kept.save(&mut to, |to| put(to, &value));
            to
        };
        let one = save(&kept, value);
        assert_eq!(save(&kept, 7), one, "it was not said that it changes");
        kept.forget();
        value += 1;
        let two = save(&kept, value);
        assert_ne!(two, one);
        assert_eq!(kept.load(&mut &two[..]), Ok(None));
        let own = kept.load(&mut &one[..]).expect("whole").expect("another");
        assert_eq!(take::<u32>(&mut &own[..]), Ok(1));
        kept.is(own, &[]).expect("all is taken");
        assert_eq!(kept.load(&mut &one[..]), Ok(None));
        assert!(kept.load(&mut &one[..one.len() - 1]).is_err());
        assert!(kept.is(own, &own[..1]).is_err());
    }

    #[test]
    fn parts_are_told_by_name_and_their_whole_length() {
        let mut saved = Vec::new();
        put_part(&mut saved, "one", &1u32);
        put_part(&mut saved, "two", &2u16);
        let (mut one, mut two) = (0u32, 0u16);
        let mut from = &saved[..];
        take_part(&mut from, "one", &mut one).expect("saved");
        take_part(&mut from, "two", &mut two).expect("saved");
        assert_eq!((one, two, from.len()), (1, 2, 0));
        let error = |bytes: &[u8], name: &str, part: &mut dyn Save| {
            take_part(&mut &bytes[..], name, part).expect_err("unfit").0
        };
        assert_eq!(
            error(&saved, "two", &mut two),
            "it has one where this machine has two"
        );
        assert_eq!(error(&saved, "one", &mut two), "one has 2 bytes too many");
        assert!(error(&saved, "one", &mut 0u64).starts_with("one: damaged: "));
        assert_eq!(error(&saved[..13], "one", &mut one), "one is cut short");
        assert!(error(&saved[..3], "one", &mut one).starts_with("damaged: "));
    }
}
