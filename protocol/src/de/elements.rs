//! The numbers in a typed array.

use std::slice;

use serde::de::{DeserializeSeed, IntoDeserializer, SeqAccess};

use super::{DeError, walk::Walk};
use crate::value::{ArrayKind, TypedArray};

/// Elements in order; those of an `ArrayBuffer` or `DataView` are its bytes.
pub(super) struct Elements<'v, 'w> {
    walk: &'w Walk<'v>,
    kind: ArrayKind,
    left: slice::ChunksExact<'v, u8>,
    index: usize,
}

impl<'v, 'w> Elements<'v, 'w> {
    pub(super) fn new(walk: &'w Walk<'v>, array: &'v TypedArray) -> Self {
        let elements = array.bytes.chunks_exact(array.kind.element_bytes());
        Self { walk, kind: array.kind, left: elements, index: 0 }
    }
}

/// The element in these bytes, which are as many as the element has.
fn read<'v, T: DeserializeSeed<'v>>(kind: ArrayKind, bytes: &[u8], seed: T) -> Result<T::Value, DeError> {
    macro_rules! number {
        ($type:ident) => {{
            let mut element = [0; size_of::<$type>()];
            element.copy_from_slice(bytes);
            seed.deserialize($type::from_le_bytes(element).into_deserializer())
        }};
    }
    match kind {
        ArrayKind::ArrayBuffer | ArrayKind::DataView | ArrayKind::Uint8 | ArrayKind::Uint8Clamped => {
            number!(u8)
        }
        ArrayKind::Int8 => number!(i8),
        ArrayKind::Int16 => number!(i16),
        ArrayKind::Uint16 => number!(u16),
        ArrayKind::Int32 => number!(i32),
        ArrayKind::Uint32 => number!(u32),
        ArrayKind::Float32 => number!(f32),
        ArrayKind::Float64 => number!(f64),
        ArrayKind::BigInt64 => number!(i64),
        ArrayKind::BigUint64 => number!(u64),
    }
}

impl<'v> SeqAccess<'v> for Elements<'v, '_> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some(bytes) = self.left.next() else { return Ok(None) };
        self.walk.charge(1)?;
        let element =
            read(self.kind, bytes, seed).map_err(|error: DeError| error.within_index(self.index))?;
        self.index += 1;
        Ok(Some(element))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}
