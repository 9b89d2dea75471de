//! What the JavaScript platform modules (`js/platform`) cannot do themselves: digests, random numbers, text decoding, URLs and time zones.
//!
//! The functions live on `globalThis.__host`. The platform modules keep a reference and delete the global before any expression runs.
//!
//! Bytes travel into Rust as strings of the characters U+0000 to U+00FF, one per byte: rquickjs offers no safe access to the contents of a typed array, and making and copying such a string costs some ten milliseconds per megabyte.
//! Bytes travel back as `Uint8Array`s that `QuickJS` allocates, so that they count towards its memory limit.
//! Text must arrive well-formed (`String.prototype.toWellFormed`); a lone surrogate is a `TypeError`.

// rquickjs hands every argument over by value, and its macros and closures need the lifetime named.
#![allow(clippy::elidable_lifetime_names, clippy::needless_pass_by_value)]

mod crypto;
#[cfg(test)]
mod platform_tests;
mod text;
mod url;
mod zone_names;
mod zones;

use rquickjs::{Ctx, Exception, Function, IntoJs, Object, Result, TypedArray};

pub(crate) fn install<'js>(ctx: &Ctx<'js>) -> Result<()> {
    let host = Object::new(ctx.clone())?;
    crypto::install(ctx, &host)?;
    text::install(ctx, &host)?;
    url::install(ctx, &host)?;
    zones::install(ctx, &host)?;
    ctx.globals().set("__host", host)
}

/// The bytes that JavaScript passed as a string of characters up to U+00FF.
fn bytes_from(ctx: &Ctx<'_>, text: &str) -> Result<Vec<u8>> {
    text.chars()
        .map(|character| {
            u8::try_from(character)
                .map_err(|_| Exception::throw_type(ctx, "expected a string of bytes, found a character above U+00FF"))
        })
        .collect()
}

fn bytes_to<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<TypedArray<'js, u8>> {
    TypedArray::new_copy(ctx.clone(), bytes)
}

/// A list of different kinds of values, which JavaScript takes apart by destructuring.
fn list<'js, const N: usize>(ctx: &Ctx<'js>, values: [rquickjs::Value<'js>; N]) -> Result<rquickjs::Array<'js>> {
    let list = rquickjs::Array::new(ctx.clone())?;
    for (index, value) in values.into_iter().enumerate() {
        list.set(index, value)?;
    }
    Ok(list)
}

fn value<'js>(ctx: &Ctx<'js>, value: impl IntoJs<'js>) -> Result<rquickjs::Value<'js>> {
    value.into_js(ctx)
}

/// Adds one function to the host object.
fn add<'js, P>(
    ctx: &Ctx<'js>,
    host: &Object<'js>,
    name: &str,
    function: impl rquickjs::function::IntoJsFunc<'js, P> + 'js,
) -> Result<()> {
    host.set(name, Function::new(ctx.clone(), function)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rquickjs::{CatchResultExt, Context, FromJs, Runtime};

    /// Evaluates a script in a fresh engine in which only the host functions are installed.
    pub(super) fn run<T: for<'js> FromJs<'js>>(script: &str) -> std::result::Result<T, String> {
        let runtime = Runtime::new().expect("a runtime");
        let context = Context::full(&runtime).expect("a context");
        context.with(|ctx| {
            install(&ctx).expect("the host functions install");
            ctx.eval::<T, _>(script).catch(&ctx).map_err(|error| error.to_string())
        })
    }

    #[test]
    fn bytes_are_strings_of_characters_up_to_255() {
        assert_eq!(run::<String>(r"__host.utf8Decode('\xc3\xa9\x00', false)").as_deref(), Ok("é\0"));
        assert!(run::<String>(r"__host.utf8Decode('\u0100', false)").unwrap_err().contains("U+00FF"));
        assert!(run::<String>(r"__host.utf8Decode('\ud800', false)").is_err());
    }
}
