//! Times one model file: `cargo run --release -p models --example timing -- FILE [THREADS]`.
use std::time::Instant;
fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().expect("a model file");
    let bytes = std::fs::read(&path).expect("the file is readable");
    let start = Instant::now();
    let net = models::Net::load(&bytes).unwrap_or_else(|e| panic!("{e}"));
    println!("{path}: load {:?}, input {:?}", start.elapsed(), net.input_shape());
    for (name, shape) in net.outputs() {
        println!("  {name} {shape:?}");
    }
    let input = vec![0.5; net.input_shape().iter().product()];
    let mut times: Vec<_> = (0..30)
        .map(|_| {
            let start = Instant::now();
            net.run(&input).expect("the net runs");
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("  median {:?}, fastest {:?}", times[15], times[0]);
}
