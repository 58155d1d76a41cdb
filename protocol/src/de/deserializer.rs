//! serde's data model, read from the graph.

use serde::de::{self, Deserializer, Expected, Unexpected, Visitor};

use super::{
    DeError, Problem,
    access::{Entries, Items, Members, Pairs},
    elements::Elements,
    form::FormFields,
    variant::Variant,
    walk::Walk,
    words,
};
use crate::{
    js::{BigInt, JsString, handover},
    value::{BlobContent, Node, NodeId, Slot},
};

/// A place in a value, to be read as any type.
#[derive(Clone, Copy)]
pub(super) struct Place<'v, 'w> {
    walk: &'w Walk<'v>,
    slot: &'v Slot,
}

impl<'v, 'w> Place<'v, 'w> {
    pub(super) fn new(walk: &'w Walk<'v>, slot: &'v Slot) -> Self {
        Self { walk, slot }
    }

    /// The slot, behind promises that were kept.
    fn settled(self) -> Result<&'v Slot, DeError> {
        self.walk.settled(self.slot)
    }

    /// The object that stands here.
    fn node(self) -> Result<Option<(NodeId, &'v Node)>, DeError> {
        Ok(match self.settled()? {
            Slot::Node(id) => Some((*id, self.walk.node(*id))),
            _ => None,
        })
    }

    #[cold]
    fn mismatch<T>(self, expected: &dyn Expected) -> Result<T, DeError> {
        let slot = self.settled()?;
        Err(DeError::mismatch(expected, self.walk.kind(slot)))
    }

    /// An integer of a type of which `u64` and `i64` are parts, or which is a part of them.
    fn integer<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.settled()? {
            Slot::Number(number) => visit_number(*number, visitor),
            Slot::BigInt(integer) => match (integer.as_str().parse(), integer.as_str().parse()) {
                (Ok(positive), _) => visitor.visit_u64(positive),
                (_, Ok(negative)) => visitor.visit_i64(negative),
                _ => Err(out_of_range(integer, &visitor)),
            },
            _ => self.mismatch(&visitor),
        }
    }

    fn float<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.settled()? {
            Slot::Number(number) => visitor.visit_f64(*number),
            _ => self.mismatch(&visitor),
        }
    }

    fn nothing<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.settled()? {
            Slot::Undefined | Slot::Null => visitor.visit_unit(),
            _ => self.mismatch(&visitor),
        }
    }

    /// Hands a value over to a newtype of [`crate::js`], past serde.
    fn hand<V: Visitor<'v>>(self, slot: &'v Slot, visitor: V) -> Result<V::Value, DeError> {
        if let Slot::BigInt(integer) = slot {
            self.walk.charge_bytes(integer.as_str().len())?;
        }
        handover::put(self.walk.value(slot));
        let read = visitor.visit_newtype_struct(self);
        // Whoever borrows the name and does not take the value must not leave it to the next.
        drop(handover::take());
        read
    }

    fn items<V: Visitor<'v>>(self, id: NodeId, items: &'v [Slot], visitor: V) -> Result<V::Value, DeError> {
        let _level = self.walk.enter(id)?;
        visitor.visit_seq(Items::new(self.walk, items))
    }

    fn content<V: Visitor<'v>>(self, content: &'v BlobContent, visitor: V) -> Result<V::Value, DeError> {
        self.walk.charge(1)?;
        self.walk.charge_bytes(usize::try_from(content.len()).unwrap_or(usize::MAX))?;
        match content {
            BlobContent::Memory(bytes) => visitor.visit_borrowed_bytes(bytes),
            BlobContent::Spilled(_) => {
                visitor.visit_byte_buf(content.bytes().map_err(de::Error::custom)?.into())
            }
        }
    }

    fn members<V: Visitor<'v>>(
        self,
        id: NodeId,
        members: &'v [(JsString, Slot)],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let _level = self.walk.enter(id)?;
        visitor.visit_map(Members::new(self.walk, members))
    }

    fn any_node<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node()? {
            Some((id, Node::Object(members))) => self.members(id, members, visitor),
            Some((_, Node::Bytes(_) | Node::Blob(_))) => self.deserialize_bytes(visitor),
            Some((_, Node::Array(_) | Node::Map(_) | Node::Set(_) | Node::Iterator(_))) => {
                self.deserialize_seq(visitor)
            }
            _ => self.mismatch(&visitor),
        }
    }
}

/// A number that is an integer as one, so that it fits into every integer type in whose range it is.
fn visit_number<'v, V: Visitor<'v>>(number: f64, visitor: V) -> Result<V::Value, DeError> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    const TWO_64: f64 = 2.0 * TWO_63;
    if number.trunc().to_bits() != number.to_bits() {
        visitor.visit_f64(number)
    } else if (0.0..TWO_64).contains(&number) {
        // `-0` is in the range and becomes 0: only `deserialize_any` has to tell them apart.
        #[expect(clippy::cast_sign_loss, reason = "in the range")]
        visitor.visit_u64(number as u64)
    } else if (-TWO_63..0.0).contains(&number) {
        visitor.visit_i64(number as i64)
    } else {
        visitor.visit_f64(number)
    }
}

#[cold]
fn out_of_range(integer: &BigInt, expected: &dyn Expected) -> DeError {
    DeError::mismatch(expected, words::cut(integer.as_str()))
}

/// Text, borrowed from the value.
pub(super) fn visit_text<'v, V: Visitor<'v>>(
    walk: &Walk<'v>,
    text: &'v JsString,
    visitor: V,
) -> Result<V::Value, DeError> {
    let text = text.as_str().ok_or_else(|| DeError::new(Problem::LoneSurrogate))?;
    walk.charge_bytes(text.len())?;
    visitor.visit_borrowed_str(text)
}

macro_rules! through {
    ($($method:ident => $to:ident,)*) => {
        $(fn $method<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> { self.$to(visitor) })*
    };
}

impl<'v> Deserializer<'v> for Place<'v, '_> {
    type Error = DeError;

    through! {
        deserialize_i8 => integer,
        deserialize_i16 => integer,
        deserialize_i32 => integer,
        deserialize_i64 => integer,
        deserialize_u8 => integer,
        deserialize_u16 => integer,
        deserialize_u32 => integer,
        deserialize_u64 => integer,
        deserialize_f32 => float,
        deserialize_f64 => float,
        deserialize_char => deserialize_str,
        deserialize_string => deserialize_str,
        deserialize_identifier => deserialize_str,
        deserialize_byte_buf => deserialize_bytes,
        deserialize_unit => nothing,
    }

    /// What has no peer in serde's data model is what `JSON.stringify` makes of it: a date is its ISO text.
    fn deserialize_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.settled()? {
            Slot::Undefined | Slot::Null => visitor.visit_unit(),
            Slot::Bool(truth) => visitor.visit_bool(*truth),
            Slot::Number(number) if *number == 0.0 && number.is_sign_negative() => visitor.visit_f64(*number),
            Slot::Number(number) => visit_number(*number, visitor),
            Slot::String(text) => visit_text(self.walk, text, visitor),
            Slot::BigInt(integer) => match (integer.as_str().parse(), integer.as_str().parse()) {
                (Ok(positive), _) => visitor.visit_u64(positive),
                (_, Ok(negative)) => visitor.visit_i64(negative),
                _ => {
                    self.walk.charge_bytes(integer.as_str().len())?;
                    visitor.visit_str(integer.as_str())
                }
            },
            Slot::Date(date) => match date.to_iso() {
                Some(text) => visitor.visit_string(text),
                None => visitor.visit_unit(),
            },
            Slot::Symbol(_) => self.mismatch(&visitor),
            Slot::Node(_) => self.any_node(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.settled()? {
            Slot::Bool(truth) => visitor.visit_bool(*truth),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        const TWO_127: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
        match self.settled()? {
            Slot::Number(number) if number.fract() == 0.0 && (-TWO_127..TWO_127).contains(number) => {
                visitor.visit_i128(*number as i128)
            }
            Slot::Number(number) => Err(de::Error::invalid_value(Unexpected::Float(*number), &visitor)),
            Slot::BigInt(integer) => match integer.to_i128() {
                Some(number) => visitor.visit_i128(number),
                None => Err(out_of_range(integer, &visitor)),
            },
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        const TWO_128: f64 = 340_282_366_920_938_463_463_374_607_431_768_211_456.0;
        match self.settled()? {
            #[expect(clippy::cast_sign_loss, reason = "in the range")]
            Slot::Number(number) if number.fract() == 0.0 && (0.0..TWO_128).contains(number) => {
                visitor.visit_u128(*number as u128)
            }
            Slot::Number(number) => Err(de::Error::invalid_value(Unexpected::Float(*number), &visitor)),
            Slot::BigInt(integer) => match integer.as_str().parse() {
                Ok(number) => visitor.visit_u128(number),
                Err(_) => Err(out_of_range(integer, &visitor)),
            },
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_str<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.settled()? {
            Slot::String(text) => visit_text(self.walk, text, visitor),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        let bytes = match self.node()? {
            Some((_, Node::Bytes(array))) => &array.bytes,
            Some((_, Node::Blob(blob))) => return self.content(&blob.content, visitor),
            Some((id, Node::Array(items))) => return self.items(id, items, visitor),
            _ => return self.mismatch(&visitor),
        };
        self.walk.charge(1)?;
        self.walk.charge_bytes(bytes.len())?;
        visitor.visit_borrowed_bytes(bytes)
    }

    /// `undefined` is none and `null` a unit: `Option` makes no difference between them, and `Maybe` does. A promise
    /// without a value is something: what to make of it is up to the type inside.
    fn deserialize_option<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.settled() {
            Ok(Slot::Undefined) => visitor.visit_none(),
            Ok(Slot::Null) => visitor.visit_unit(),
            Err(error) if !matches!(error.problem(), Problem::Unsettled(_) | Problem::RejectedPromise) => {
                Err(error)
            }
            Ok(_) | Err(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'v>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.nothing(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'v>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match name {
            handover::VALUE => self.hand(self.slot, visitor),
            handover::SETTLED => self.hand(self.settled()?, visitor),
            handover::MAP => match self.node()? {
                Some((_, Node::Map(_))) => visitor.visit_newtype_struct(self),
                _ => self.mismatch(&visitor),
            },
            handover::SET => match self.node()? {
                Some((_, Node::Set(_))) => visitor.visit_newtype_struct(self),
                _ => self.mismatch(&visitor),
            },
            handover::FORM => match self.node()? {
                Some((id, Node::FormData(entries))) => {
                    let _level = self.walk.enter(id)?;
                    let form = FormFields::new(self.walk, self.settled()?, entries);
                    visitor.visit_newtype_struct(form)
                }
                _ => visitor.visit_newtype_struct(self),
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node()? {
            Some((id, Node::Array(items) | Node::Set(items) | Node::Iterator(items))) => {
                self.items(id, items, visitor)
            }
            Some((id, Node::Map(entries))) => {
                let _level = self.walk.enter(id)?;
                visitor.visit_seq(Pairs::new(self.walk, entries))
            }
            Some((id, Node::Bytes(array))) => {
                let _level = self.walk.enter(id)?;
                visitor.visit_seq(Elements::new(self.walk, array))
            }
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'v>>(self, len: usize, visitor: V) -> Result<V::Value, DeError> {
        if let Some((_, Node::Array(items) | Node::Set(items) | Node::Iterator(items))) = self.node()?
            && items.len() > len
        {
            let expected = format!("a tuple of size {len}");
            return Err(de::Error::invalid_length(items.len(), &&*expected));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'v>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node()? {
            Some((id, Node::Object(members))) => self.members(id, members, visitor),
            Some((id, Node::Map(entries))) => {
                let _level = self.walk.enter(id)?;
                visitor.visit_map(Entries::new(self.walk, entries))
            }
            _ => self.mismatch(&visitor),
        }
    }

    /// Arrays are refused, although a struct could be read from one: positions are not what its author named.
    fn deserialize_struct<V: Visitor<'v>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match self.node()? {
            Some((id, Node::Object(members))) => self.members(id, members, visitor),
            _ => self.mismatch(&visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'v>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        if let Slot::String(text) = self.settled()? {
            return visitor.visit_enum(Variant::unit(self.walk, text));
        }
        match self.node()? {
            Some((id, Node::Object(members))) => {
                let _level = self.walk.enter(id)?;
                match members.as_slice() {
                    [(name, contents)] => {
                        visitor.visit_enum(Variant::with_contents(self.walk, name, contents))
                    }
                    _ => Err(DeError::mismatch(
                        &"an object with one member",
                        format!("{} members", members.len()),
                    )),
                }
            }
            _ => self.mismatch(&visitor),
        }
    }

    /// What nobody reads is not walked through either: unknown members cost nothing, whatever they hold.
    fn deserialize_ignored_any<V: Visitor<'v>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }
}
