use proptest::prelude::*;

use super::*;

fn parse(body: &str) -> Result<Vec<Part>, MultipartError> {
    collect(Bytes::copy_from_slice(body.as_bytes()), "b", Limits::default())
}

fn field(headers: &str, content: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\n{content}\r\n--b--\r\n")
}

#[test]
fn the_boundary_is_read_from_the_content_type() {
    assert_eq!(boundary("multipart/form-data; boundary=x-1"), Some("x-1"));
    assert_eq!(boundary("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a b\""), Some("a b"));
    assert_eq!(boundary("multipart/form-data; boundary=x ; charset=utf-8"), Some("x"));
    assert_eq!(boundary("multipart/form-data"), None);
    assert_eq!(boundary("multipart/form-data; boundary="), None);
    assert_eq!(boundary("text/plain; boundary=x"), None);
    assert_eq!(boundary(&format!("multipart/form-data; boundary={}", "x".repeat(71))), None);
}

#[test]
fn a_part_is_a_file_exactly_if_it_has_a_file_name() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: text/x\r\n\r\n1\r\n\
        --b\r\nContent-Disposition: form-data; filename=\"f\"; name=\"c\"\r\n\r\n\r\n--b--";
    let parts = parse(body).unwrap();
    assert_eq!(parts, [Part::text("a", "1"), Part::file("c", "f", "application/octet-stream", "")]);
}

#[test]
fn names_are_unescaped_as_browsers_escape_them() {
    let body = field(r#"content-disposition: form-data; name="a%22b%0D%0A%25%2""#, "v");
    assert_eq!(parse(&body).unwrap(), [Part::text("a\"b\r\n%25%2", "v")]);
}

#[test]
fn a_form_without_fields_is_empty() {
    assert_eq!(parse("--b--\r\n").unwrap(), []);
}

#[test]
fn broken_framing_is_refused() {
    let named = "content-disposition: form-data; name=\"n\"";
    let cases = [
        ("", "ended within part 0"),
        ("x", "does not begin with the boundary"),
        ("--b\r\n\r\n\r\n--b--", "no content-disposition"),
        ("--bc", "a boundary that goes on"),
        (&field("content-type: a/b", "x"), "no content-disposition"),
        (&field("content-disposition: inline; name=\"n\"", "x"), "other than form-data"),
        (&field(&format!("{named}\r\n{named}"), "x"), "two content-disposition"),
        (&field(&format!("{named}\r\ncontent-transfer-encoding: base64"), "x"), "content-transfer-encoding"),
        (&field("content-disposition: form-data; name=\"n", "x"), "no content-disposition with a name"),
        (&field(named, "x")[..48], "ended within part 1"),
        ("--b\r\n bad header\r\n\r\n", "malformed headers"),
    ];
    for (body, why) in cases {
        let error = parse(body).unwrap_err();
        assert!(error.to_string().contains(why), "{body:?}: {error}");
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_by_name() {
    let mut body = field("content-disposition: form-data; name=\"title\"", "@").into_bytes();
    let at = body.iter().position(|&byte| byte == b'@').unwrap();
    body[at] = 0xFF;
    let error = collect(body.into(), "b", Limits::default()).unwrap_err();
    assert_eq!(error, MultipartError::NotText { part: 1, name: "title".to_owned() });
}

#[test]
fn limits_are_kept() {
    let two = "--b\r\ncontent-disposition: form-data; name=\"n\"\r\n\r\nx\r\n".repeat(2) + "--b--";
    let parts_max = |parts_max| collect(two.clone().into(), "b", Limits { parts_max, ..Limits::default() });
    assert_eq!(parts_max(1), Err(MultipartError::TooManyParts { max: 1 }));
    assert_eq!(parts_max(2).unwrap().len(), 2);
    let limits = Limits { header_bytes_max: 20, ..Limits::default() };
    assert_eq!(collect(two.into(), "b", limits), Err(MultipartError::HeaderTooLong { part: 1, max: 20 }));
}

#[test]
fn content_of_one_chunk_is_not_copied() {
    let body = Bytes::from(field("content-disposition: form-data; name=\"n\"", &"x".repeat(1000)));
    let parts = collect(body.clone(), "b", Limits::default()).unwrap();
    let text = parts[0].as_text().unwrap().as_bytes();
    assert!(body.as_ptr_range().contains(&text.as_ptr()));
}

fn any_part() -> impl Strategy<Value = Part> {
    // Content that resembles boundaries is what matters.
    let content = "(\r|\n|-|b|--b|\r\n--|\r\n-|x|é){0,12}";
    let text = (".{0,8}", content).prop_map(|(name, text)| Part::text(name, text));
    let file = ("[^\\x00-\\x1f\\x7f]{0,8}", "[ab]?", content)
        .prop_map(|(name, file_name, text)| Part::file(name, file_name, "a/b", text));
    prop_oneof![text, file].prop_filter(
        "the content holds no delimiter, the name no control character",
        |part| {
            let content = match &part.content {
                Content::Text(text) => text.clone().into_bytes(),
                Content::File { content, .. } => content.bytes().unwrap(),
            };
            let control = |char: char| char.is_control() && char != '\r' && char != '\n';
            !part.name.contains(control) && !content.windows(5).any(|window| window == b"\r\n--b")
        },
    )
}

proptest! {
    #[test]
    fn what_was_rendered_is_parsed_whatever_the_chunks(
        parts in prop::collection::vec(any_part(), 0..5),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let body = Bytes::from(render(&parts, "b"));
        prop_assert_eq!(&collect(body.clone(), "b", Limits::default()).unwrap(), &parts);
        let mut collector = Collector::new("b", Limits::default()).unwrap();
        let (mut rest, mut cuts) = (body, cuts.iter().cycle());
        while !rest.is_empty() {
            let cut = *cuts.next().unwrap();
            collector.push(rest.split_to(cut.min(rest.len()))).unwrap();
        }
        prop_assert_eq!(&collector.finish().unwrap(), &parts);
    }

    #[test]
    fn any_bytes_end_in_parts_or_an_error(body in "(--b|\r\n|-|: |content-disposition|form-data|;|name=|\"|x){0,30}") {
        let whole = parse(&body);
        let mut collector = Collector::new("b", Limits::default()).unwrap();
        let pushed = body.bytes().try_for_each(|byte| collector.push(Bytes::copy_from_slice(&[byte])));
        let chunked = pushed.and_then(|()| collector.finish());
        prop_assert_eq!(whole.is_ok(), chunked.is_ok());
        if let (Ok(whole), Ok(chunked)) = (whole, chunked) {
            prop_assert_eq!(whole, chunked);
        }
    }
}
