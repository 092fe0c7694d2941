//! Y4M: a line that says the size, then frames of planes, each behind a line of its own.

use super::{Pictures, Why};
use crate::camera::decode::{MAX_PIXELS, MAX_SIDE};
use crate::camera::{Encoding, Frame};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How the file begins.
pub const MAGIC: &[u8] = b"YUV4MPEG2";
/// The longest line that is read, bytes.
const MAX_LINE: u64 = 1024;

/// The file, behind its first line.
#[derive(Debug)]
pub struct Y4m {
    file: BufReader<File>,
    header: Header,
    /// Where the first frame begins.
    first: u64,
    /// A frame's planes as they stand in the file.
    planes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Header {
    width: usize,
    height: usize,
    rate: Option<f32>,
    chroma: Chroma,
}

/// How many values of chroma there are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Chroma {
    /// One for two by two pixels.
    C420,
    /// One for two pixels of a row.
    C422,
    /// One for each pixel.
    C444,
}

impl Y4m {
    pub fn open(path: &Path) -> Result<Self, Why> {
        let mut file = BufReader::new(File::open(path)?);
        let length = file.get_ref().metadata()?.len();
        let line = line(&mut file)?.ok_or_else(|| Why("its first line does not end".into()))?;
        let header = Header::parse(&line)?;
        let bytes = header.luma() + 2 * header.chroma_plane();
        if length < bytes as u64 {
            return Err(Why(format!(
                "it has {length} bytes, one frame takes {bytes}: copy it again"
            )));
        }
        let first = file.stream_position()?;
        Ok(Self { file, header, first, planes: vec![0; bytes] })
    }
}

impl Pictures for Y4m {
    fn next(&mut self, frame: &mut Frame) -> Result<bool, Why> {
        let Some(line) = line(&mut self.file)? else { return Ok(false) };
        if line != "FRAME" && !line.starts_with("FRAME ") {
            return Err(Why("a frame does not begin with the word FRAME: record it again".into()));
        }
        // A recording that was cut off ends with part of a frame.
        if let Err(error) = self.file.read_exact(&mut self.planes) {
            let cut_off = error.kind() == std::io::ErrorKind::UnexpectedEof;
            return if cut_off { Ok(false) } else { Err(error.into()) };
        }
        self.header.fill(&self.planes, frame);
        Ok(true)
    }

    fn rewind(&mut self) -> Result<(), Why> {
        self.file.seek(SeekFrom::Start(self.first))?;
        Ok(())
    }

    fn rate(&self) -> Option<f32> {
        self.header.rate
    }
}

/// A line without its end; `None` where the file ends first.
fn line(file: &mut impl BufRead) -> Result<Option<String>, Why> {
    let mut line = Vec::new();
    file.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return if line.len() as u64 >= MAX_LINE - 1 {
            Err(Why(format!("a line is longer than {MAX_LINE} bytes: this is no Y4M file")))
        } else {
            Ok(None)
        };
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

impl Header {
    fn parse(line: &str) -> Result<Self, Why> {
        let (mut width, mut height, mut rate, mut chroma) = (0, 0, None, Chroma::C420);
        for word in line.split(' ').skip(1).filter(|word| !word.is_empty()) {
            let (tag, value) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
            match tag {
                "W" => width = value.parse().unwrap_or(0),
                "H" => height = value.parse().unwrap_or(0),
                "F" => rate = parse_rate(value),
                "C" => chroma = Chroma::parse(value)?,
                _ => (),
            }
        }
        let is_readable = width > 0
            && height > 0
            && width <= MAX_SIDE
            && height <= MAX_SIDE
            && width * height <= MAX_PIXELS;
        if !is_readable {
            let limit = format!("at most {MAX_SIDE} a side and {MAX_PIXELS} pixels are read");
            return Err(Why(format!("its frames are {width}x{height}; {limit}")));
        }
        Ok(Self { width, height, rate, chroma })
    }

    fn luma(&self) -> usize {
        self.width * self.height
    }

    /// Values in a plane of chroma.
    fn chroma_plane(&self) -> usize {
        let half = self.width.div_ceil(2);
        match self.chroma {
            Chroma::C420 => half * self.height.div_ceil(2),
            Chroma::C422 => half * self.height,
            Chroma::C444 => self.luma(),
        }
    }

    /// Planes into NV12 or YUYV.
    fn fill(&self, planes: &[u8], frame: &mut Frame) {
        let (luma, chroma) = planes.split_at(self.luma());
        let (cb, cr) = chroma.split_at(self.chroma_plane());
        let pairs = self.width.div_ceil(2);
        frame.data.clear();
        match self.chroma {
            Chroma::C420 => {
                (frame.encoding, frame.stride) = (Encoding::Nv12, pairs * 2);
                for row in luma.chunks_exact(self.width) {
                    frame.data.extend_from_slice(row);
                    frame.data.resize(frame.data.len().next_multiple_of(pairs * 2), 0);
                }
                frame.data.extend(cb.iter().zip(cr).flat_map(|(&cb, &cr)| [cb, cr]));
            }
            Chroma::C422 | Chroma::C444 => {
                (frame.encoding, frame.stride) = (Encoding::Yuyv, pairs * 4);
                let apart = self.chroma_plane() / self.height;
                let rows = luma.chunks_exact(self.width);
                let chroma = cb.chunks_exact(apart).zip(cr.chunks_exact(apart));
                for (luma, (cb, cr)) in rows.zip(chroma) {
                    for pair in 0..pairs {
                        let (first, second) = (pair * 2, (pair * 2 + 1).min(self.width - 1));
                        let of_pair = |plane: &[u8]| match self.chroma {
                            Chroma::C444 => (u16::from(plane[first]) + u16::from(plane[second]))
                                .div_ceil(2) as u8,
                            _ => plane[pair],
                        };
                        frame.data.extend([luma[first], of_pair(cb), luma[second], of_pair(cr)]);
                    }
                }
            }
        }
        (frame.width, frame.height) = (self.width, self.height);
    }
}

impl Chroma {
    fn parse(text: &str) -> Result<Self, Why> {
        match text {
            "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(Self::C420),
            "422" => Ok(Self::C422),
            "444" => Ok(Self::C444),
            _ => {
                Err(Why(format!("its pixels are C{text}; C420, C422 and C444 in 8 bits are read")))
            }
        }
    }
}

/// `30000:1001`.
fn parse_rate(text: &str) -> Option<f32> {
    let (frames, seconds) = text.split_once(':')?;
    let rate = frames.parse::<u32>().ok()? as f32 / seconds.parse::<u32>().ok()? as f32;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
