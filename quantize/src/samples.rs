//! Samples: what a net is tried on, from a folder or at random.
//!
//! A folder holds pictures (resized to the input, 0 to 1, then `(x − mean) / std`), `.npy` and `.safetensors`. A net of several inputs has a
//! sub-folder for each, or files whose names start with the input's (`latent-003.npy`; what comes after the name tells samples apart), or
//! `.safetensors` files that hold a tensor for each input. A tensor has the input's shape, with or without the leading 1; of images also
//! channels first.

use crate::error::QuantizeError;
use image::imageops::FilterType;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vitrine::runtime::engine::Array;

/// What a net reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// As in the net.
    pub name: String,
    /// Images are `[n, h, w, c]`.
    pub shape: Vec<usize>,
}

/// One run's worth of inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// For people.
    pub name: String,
    /// By the input's name.
    pub arrays: BTreeMap<String, Array>,
}

/// What is done with a picture's values, 0 to 1: `(x − mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// Of red, green, blue.
    pub mean: [f32; 3],
    /// Of red, green, blue.
    pub std: [f32; 3],
}

impl Default for Normalisation {
    fn default() -> Self {
        Self { mean: [0.0; 3], std: [1.0; 3] }
    }
}

/// Normally distributed numbers, the same for the same seed on every machine.
#[derive(Clone, Debug)]
pub struct Normal {
    state: u64,
}

impl Normal {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014), in (0, 1].
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + f64::MIN_POSITIVE
    }

    /// The next so many, by Box and Muller.
    pub fn take(&mut self, count: usize) -> Vec<f32> {
        let next = || {
            let (radius, angle) = (self.uniform(), self.uniform());
            ((-2.0 * radius.ln()).max(0.0).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
        };
        std::iter::repeat_with(next).take(count).collect()
    }
}

/// Samples of normally distributed values.
pub fn random(inputs: &[Input], count: usize, seed: u64) -> Vec<Sample> {
    let mut normal = Normal::new(seed);
    let mut sample = |index: usize| Sample {
        name: format!("random {index}"),
        arrays: inputs
            .iter()
            .map(|input| {
                let values = normal.take(input.shape.iter().product());
                (input.name.clone(), Array { shape: input.shape.clone(), values })
            })
            .collect(),
    };
    (0..count).map(&mut sample).collect()
}

/// Reads the samples of a folder, in the order of their names.
///
/// # Errors
/// A [`QuantizeError`] that names the folder or file and says what was expected in it.
pub fn load(
    folder: &Path,
    inputs: &[Input],
    normalisation: Normalisation,
) -> Result<Vec<Sample>, QuantizeError> {
    let files = files_in(folder)?;
    let mut samples: BTreeMap<String, BTreeMap<String, Array>> = BTreeMap::new();
    for (file, kind) in &files {
        if *kind == Kind::Safetensors {
            let tensors = read_safetensors(file, inputs)?;
            samples.entry(stem(file)).or_default().extend(tensors);
        } else if let [input] = inputs {
            let array = read(file, *kind, input, normalisation)?;
            samples.entry(stem(file)).or_default().insert(input.name.clone(), array);
        } else if let Some((input, rest)) = input_of_prefix(&stem(file), inputs) {
            let array = read(file, *kind, input, normalisation)?;
            samples.entry(rest).or_default().insert(input.name.clone(), array);
        }
    }
    for input in inputs {
        let folder = folder.join(file_name(&input.name));
        if !folder.is_dir() {
            continue;
        }
        for (file, kind) in files_in(&folder)? {
            let array = match kind {
                Kind::Safetensors => {
                    let own = std::slice::from_ref(input);
                    let array = read_safetensors(&file, own)?.remove(&input.name);
                    array.expect("each of the inputs asked for is read")
                }
                _ => read(&file, kind, input, normalisation)?,
            };
            samples.entry(stem(&file)).or_default().insert(input.name.clone(), array);
        }
    }
    if samples.is_empty() {
        let inputs = inputs.iter().map(|input| input.name.clone()).collect();
        return Err(QuantizeError::NoSamples { path: folder.to_owned(), inputs });
    }
    for (sample, arrays) in &samples {
        if let Some(input) = inputs.iter().find(|input| !arrays.contains_key(&input.name)) {
            return Err(QuantizeError::Incomplete {
                path: folder.to_owned(),
                sample: sample.clone(),
                input: input.name.clone(),
            });
        }
    }
    Ok(samples.into_iter().map(|(name, arrays)| Sample { name, arrays }).collect())
}

/// The input that takes the timestep.
///
/// # Errors
/// [`QuantizeError::NoTimestep`]
pub fn timestep<'a>(inputs: &'a [Input], named: Option<&str>) -> Result<&'a Input, QuantizeError> {
    let one = |input: &&Input| input.shape.iter().product::<usize>() == 1;
    let candidates: Vec<_> = inputs.iter().filter(one).collect();
    let found = match (named, candidates.as_slice()) {
        (Some(name), all) => all.iter().find(|input| input.name == name),
        (None, [only]) => Some(only),
        (None, all) => all.iter().find(|input| {
            let name = input.name.to_lowercase();
            ["time", "step", "sigma"].iter().any(|word| name.contains(word))
        }),
    };
    found.copied().ok_or_else(|| QuantizeError::NoTimestep {
        inputs: inputs.iter().map(|input| input.name.clone()).collect(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Picture,
    Npy,
    Safetensors,
}

/// Files of the kinds that samples are stored in, sorted; hidden ones are none.
fn files_in(folder: &Path) -> Result<Vec<(PathBuf, Kind)>, QuantizeError> {
    let unreadable = |source| QuantizeError::Read { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        let kind = match ending.as_str() {
            "png" | "jpg" | "jpeg" | "webp" => Kind::Picture,
            "npy" => Kind::Npy,
            "safetensors" => Kind::Safetensors,
            _ => continue,
        };
        if path.is_file() && !stem(&path).starts_with('.') {
            files.push((path, kind));
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files)
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// An input's name as a file may have it.
fn file_name(input: &str) -> String {
    input.replace(['/', '\\', ':'], "_")
}

/// The input that a file's name starts with (the longest, where several do), and what follows.
fn input_of_prefix<'a>(stem: &str, inputs: &'a [Input]) -> Option<(&'a Input, String)> {
    let rest = |input: &'a Input| {
        let rest = stem.strip_prefix(&file_name(&input.name))?;
        let rest_of_name = rest.strip_prefix(['-', '_', '.']);
        rest_of_name.or(rest.is_empty().then_some(rest)).map(|rest| (input, rest.to_owned()))
    };
    inputs.iter().filter_map(rest).max_by_key(|(input, _)| input.name.len())
}

fn read(
    path: &Path,
    kind: Kind,
    input: &Input,
    normalisation: Normalisation,
) -> Result<Array, QuantizeError> {
    match kind {
        Kind::Picture => read_picture(path, input, normalisation),
        Kind::Npy => read_npy(path, input),
        Kind::Safetensors => unreachable!("files of several tensors are read by their names"),
    }
}

fn read_picture(
    path: &Path,
    input: &Input,
    Normalisation { mean, std }: Normalisation,
) -> Result<Array, QuantizeError> {
    let &[1, height, width, channels @ (1 | 3)] = input.shape.as_slice() else {
        return Err(QuantizeError::NoPicture {
            path: path.to_owned(),
            input: input.name.clone(),
            shape: input.shape.clone(),
        });
    };
    let unreadable = |source| QuantizeError::Read { path: path.to_owned(), source };
    let reader = image::ImageReader::open(path).map_err(unreadable)?;
    let picture = reader.with_guessed_format().map_err(unreadable)?.decode();
    let picture =
        picture.map_err(|source| QuantizeError::Picture { path: path.to_owned(), source })?;
    let picture = picture.resize_exact(width as u32, height as u32, FilterType::Triangle);
    let values = if channels == 3 {
        let pixels = picture.into_rgb32f().into_raw();
        let value = |(i, x): (usize, f32)| (x - mean[i % 3]) / std[i % 3];
        pixels.into_iter().enumerate().map(value).collect()
    } else {
        let pixels = picture.into_luma8().into_raw();
        pixels.into_iter().map(|x| (f32::from(x) / 255.0 - mean[0]) / std[0]).collect()
    };
    Ok(Array { shape: input.shape.clone(), values })
}

fn read_npy(path: &Path, input: &Input) -> Result<Array, QuantizeError> {
    let bytes = std::fs::read(path)
        .map_err(|source| QuantizeError::Read { path: path.to_owned(), source })?;
    let broken = |source| QuantizeError::Npy { path: path.to_owned(), source };
    let file = npyz::NpyFile::new(&bytes[..]).map_err(broken)?;
    let shape: Vec<usize> = file.shape().iter().map(|&extent| extent as usize).collect();
    let by_column = file.order() == npyz::Order::Fortran;
    let element = match file.dtype() {
        npyz::DType::Plain(element) => element.to_string(),
        other => other.descr(),
    };
    let unknown = || QuantizeError::Element { path: path.to_owned(), found: element.clone() };
    let values: Vec<f32> = match element.trim_start_matches(['<', '>', '|', '=']) {
        "f4" => file.into_vec().map_err(broken)?,
        "f8" => narrowed(file.into_vec::<f64>().map_err(broken)?, |x| x as f32),
        "i8" => narrowed(file.into_vec::<i64>().map_err(broken)?, |x| x as f32),
        "i4" => narrowed(file.into_vec::<i32>().map_err(broken)?, |x| x as f32),
        "i2" => narrowed(file.into_vec::<i16>().map_err(broken)?, f32::from),
        "i1" => narrowed(file.into_vec::<i8>().map_err(broken)?, f32::from),
        "u1" => narrowed(file.into_vec::<u8>().map_err(broken)?, f32::from),
        "u2" => narrowed(file.into_vec::<u16>().map_err(broken)?, f32::from),
        "f2" if !by_column => {
            // The reader knows no halves: they are the bytes after the header.
            let count: usize = shape.iter().product();
            let start = bytes.len().checked_sub(2 * count).ok_or_else(unknown)?;
            let big = element.starts_with('>');
            let half = |pair: &[u8]| {
                let pair = [pair[0], pair[1]];
                let bits = if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
                half::f16::from_bits(bits).to_f32()
            };
            bytes[start..].chunks_exact(2).map(half).collect()
        }
        _ => return Err(unknown()),
    };
    if by_column && shape.len() > 1 {
        let axes: Vec<usize> = (0..shape.len()).rev().collect();
        let stored: Vec<usize> = shape.iter().rev().copied().collect();
        let values = transposed(&values, &stored, &axes);
        return fitted(path, input, shape, values);
    }
    fitted(path, input, shape, values)
}

fn narrowed<T>(values: Vec<T>, narrow: impl Fn(T) -> f32) -> Vec<f32> {
    values.into_iter().map(narrow).collect()
}

/// Tensors of the inputs' names; a file with one tensor may name it as it likes where there is one input.
fn read_safetensors(
    path: &Path,
    inputs: &[Input],
) -> Result<BTreeMap<String, Array>, QuantizeError> {
    let bytes = std::fs::read(path)
        .map_err(|source| QuantizeError::Read { path: path.to_owned(), source })?;
    let tensors = safetensors::SafeTensors::deserialize(&bytes)
        .map_err(|source| QuantizeError::Safetensors { path: path.to_owned(), source })?;
    let names: Vec<String> = tensors.names().into_iter().map(|name| name.to_string()).collect();
    let mut arrays = BTreeMap::new();
    for input in inputs {
        let name = match (inputs, names.as_slice()) {
            ([_], [only]) => only.as_str(),
            _ => input.name.as_str(),
        };
        let tensor = tensors.tensor(name).map_err(|_| QuantizeError::NoTensor {
            path: path.to_owned(),
            input: input.name.clone(),
            found: names.clone(),
        })?;
        let data = tensor.data();
        fn wide<const SIZE: usize>(data: &[u8], one: impl Fn([u8; SIZE]) -> f32) -> Vec<f32> {
            data.as_chunks::<SIZE>().0.iter().map(|bytes| one(*bytes)).collect()
        }
        use safetensors::Dtype;
        let values = match tensor.dtype() {
            Dtype::F32 => wide(data, f32::from_le_bytes),
            Dtype::F16 => wide(data, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
            Dtype::BF16 => wide(data, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
            Dtype::F64 => wide(data, |bytes| f64::from_le_bytes(bytes) as f32),
            Dtype::I64 => wide(data, |bytes| i64::from_le_bytes(bytes) as f32),
            Dtype::I32 => wide(data, |bytes| i32::from_le_bytes(bytes) as f32),
            Dtype::U8 => wide(data, |[byte]| f32::from(byte)),
            other => {
                let found = format!("{other:?}");
                return Err(QuantizeError::Element { path: path.to_owned(), found });
            }
        };
        let array = fitted(path, input, tensor.shape().to_vec(), values)?;
        arrays.insert(input.name.clone(), array);
    }
    Ok(arrays)
}

/// The tensor in the input's shape.
fn fitted(
    path: &Path,
    input: &Input,
    shape: Vec<usize>,
    values: Vec<f32>,
) -> Result<Array, QuantizeError> {
    if values.iter().any(|value| !value.is_finite()) {
        return Err(QuantizeError::NotFinite { path: path.to_owned() });
    }
    let expected = &input.shape;
    let without_one = |shape: &[usize]| {
        let skipped = shape.iter().take_while(|extent| **extent == 1).count();
        shape[skipped.min(shape.len().saturating_sub(1))..].to_vec()
    };
    if shape == *expected || without_one(&shape) == without_one(expected) {
        return Ok(Array { shape: expected.clone(), values });
    }
    if let &[n, height, width, channels] = expected.as_slice() {
        let first = [n, channels, height, width];
        if shape == first || (n == 1 && shape == first[1..]) {
            let values = transposed(&values, &first, &[0, 2, 3, 1]);
            return Ok(Array { shape: expected.clone(), values });
        }
    }
    Err(QuantizeError::Shape {
        path: path.to_owned(),
        input: input.name.clone(),
        expected: expected.clone(),
        found: shape,
    })
}

/// Output axis i is input axis `axes[i]`.
fn transposed(values: &[f32], shape: &[usize], axes: &[usize]) -> Vec<f32> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let extents: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
    let mut index = vec![0; axes.len()];
    let mut result = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let place: usize = index.iter().zip(axes).map(|(i, &axis)| i * strides[axis]).sum();
        result.push(values[place]);
        for position in (0..index.len()).rev() {
            index[position] += 1;
            if index[position] < extents[position] {
                break;
            }
            index[position] = 0;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, shape: &[usize]) -> Input {
        Input { name: name.into(), shape: shape.to_vec() }
    }

    fn write_npy(path: &Path, shape: &[u64], values: &[f32]) {
        use npyz::WriterBuilder;
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn error(folder: &Path, inputs: &[Input]) -> String {
        load(folder, inputs, Normalisation::default()).unwrap_err().to_string()
    }

    #[test]
    fn pictures_are_resized_and_normalised() {
        let folder = tempfile::tempdir().unwrap();
        let picture = image::RgbImage::from_pixel(8, 4, image::Rgb([255, 0, 51]));
        picture.save(folder.path().join("a.png")).unwrap();
        let normalisation = Normalisation { mean: [0.5; 3], std: [0.5, 0.5, 0.25] };
        let inputs = [input("image", &[1, 2, 6, 3])];
        let samples = load(folder.path(), &inputs, normalisation).unwrap();
        let array = &samples[0].arrays["image"];
        assert_eq!(array.shape, [1, 2, 6, 3]);
        for pixel in array.values.chunks(3) {
            for (value, expected) in pixel.iter().zip([1.0, -1.0, -1.2]) {
                assert!((value - expected).abs() < 1e-5, "{pixel:?}");
            }
        }
    }

    #[test]
    fn tensors_channels_first_become_channels_last() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        write_npy(&folder.path().join("a.npy"), &[1, 2, 2, 3], &values);
        let inputs = [input("x", &[1, 2, 3, 2])];
        let samples = load(folder.path(), &inputs, Normalisation::default()).unwrap();
        let found = &samples[0].arrays["x"].values;
        assert_eq!(found[..6], [0.0, 6.0, 1.0, 7.0, 2.0, 8.0]);
    }

    #[test]
    fn inputs_come_from_sub_folders_prefixes_or_one_file() {
        let inputs = [input("latent", &[1, 2]), input("context", &[1, 3])];
        let sub_folders = tempfile::tempdir().unwrap();
        for (name, values) in [("latent", &[1.0, 2.0][..]), ("context", &[3.0, 4.0, 5.0])] {
            std::fs::create_dir(sub_folders.path().join(name)).unwrap();
            let file = sub_folders.path().join(name).join("s0.npy");
            write_npy(&file, &[1, values.len() as u64], values);
        }
        let prefixes = tempfile::tempdir().unwrap();
        write_npy(&prefixes.path().join("latent-s0.npy"), &[2], &[1.0, 2.0]);
        write_npy(&prefixes.path().join("context_s0.npy"), &[3], &[3.0, 4.0, 5.0]);
        let together = tempfile::tempdir().unwrap();
        let bytes =
            |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
        let (latent, context) = (bytes(&[1.0, 2.0]), bytes(&[3.0, 4.0, 5.0]));
        let view = |shape: &[usize], data| {
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), data)
        };
        let tensors = [
            ("latent", view(&[1, 2], &latent).unwrap()),
            ("context", view(&[1, 3], &context).unwrap()),
        ];
        let file = safetensors::serialize(tensors, None).unwrap();
        std::fs::write(together.path().join("s0.safetensors"), file).unwrap();
        for folder in [&sub_folders, &prefixes, &together] {
            let samples = load(folder.path(), &inputs, Normalisation::default()).unwrap();
            assert_eq!(samples.len(), 1);
            assert_eq!(samples[0].name, "s0");
            assert_eq!(samples[0].arrays["latent"].values, [1.0, 2.0]);
            assert_eq!(samples[0].arrays["context"].values, [3.0, 4.0, 5.0]);
        }
    }

    #[test]
    fn each_fault_of_a_folder_is_its_own_message() {
        let one = [input("x", &[1, 4])];
        let two = [input("x", &[1, 4]), input("y", &[1, 4])];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(error(&path.join("none"), &one).starts_with("cannot read"));
        assert!(error(path, &two).contains("for the inputs x, y a folder"));
        write_npy(&path.join("x-1.npy"), &[1, 4], &[0.0; 4]);
        assert!(error(path, &two).contains("sample `1`"), "{}", error(path, &two));
        std::fs::remove_file(path.join("x-1.npy")).unwrap();
        write_npy(&path.join("a.npy"), &[1, 5], &[0.0; 5]);
        assert!(error(path, &one).contains("has shape [1, 4], found [1, 5]"));
        write_npy(&path.join("a.npy"), &[1, 4], &[0.0, f32::NAN, 0.0, 0.0]);
        assert!(error(path, &one).contains("no numbers"));
        std::fs::write(path.join("a.npy"), b"not at all").unwrap();
        assert!(error(path, &one).contains("no .npy file"));
        std::fs::remove_file(path.join("a.npy")).unwrap();
        std::fs::write(path.join("a.safetensors"), b"not at all").unwrap();
        assert!(error(path, &one).contains("no .safetensors file"));
        std::fs::remove_file(path.join("a.safetensors")).unwrap();
        std::fs::write(path.join("a.png"), b"not at all").unwrap();
        assert!(error(path, &[input("x", &[1, 2, 2, 3])]).contains("no readable picture"));
        assert!(error(path, &one).contains("give it .npy"));
    }

    #[test]
    fn random_samples_depend_on_the_seed_alone_and_are_normal() {
        let inputs = [input("x", &[1, 100, 100, 3])];
        let first = random(&inputs, 2, 5);
        assert_eq!(first, random(&inputs, 2, 5));
        assert_ne!(first, random(&inputs, 2, 6));
        let values = &first[1].arrays["x"].values;
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn the_timestep_is_the_input_of_one_value() {
        let inputs = [input("x", &[1, 4]), input("timestep", &[1]), input("guidance", &[1])];
        assert_eq!(timestep(&inputs, None).unwrap().name, "timestep");
        assert_eq!(timestep(&inputs, Some("guidance")).unwrap().name, "guidance");
        assert!(timestep(&inputs[..1], None).is_err());
        assert!(timestep(&inputs, Some("x")).is_err());
    }
}
