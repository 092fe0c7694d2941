#!/bin/sh
# Runs inside of the virtual board: takes a camera through its faults, one after the other, while a program
# uses it, and reads in the program's lines that it noticed and went on by itself.
#
# usage: scenarios.sh vivid|webcam|screen|dressed PROGRAM [ARGUMENTS]
#
# Prints `ok SCENARIO` or `not ok SCENARIO: what was missing`. Exit code: how many failed.

camera=$1
shift
log=/tmp/log
slow=${SLOW:-30} # seconds that anything may take; emulation on a busy machine is slow
failed=0
: >$log
program=
mark=0

# ---------------------------------------------------------------- the program

start() {
  : >$log
  mark=0
  "$@" >>$log 2>&1 &
  program=$!
}

# Asks the program to end. The mirror promises a second; the emulator gets some more.
end() {
  kill "$program"
  tries=0
  while kill -0 "$program" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 50 ] || { fail 'did not end within 5 s of SIGTERM'; kill -9 "$program"; break; }
    sleep 0.1
  done
  wait "$program"
  code=$?
  [ $code = 0 ] || fail "ended with exit code $code"
  program=
}

alive() { kill -0 "$program" 2>/dev/null || fail "the program has ended: $(tail -n 3 $log)"; }

# ---------------------------------------------------------------- what is expected

fail() {
  [ -n "$trouble" ] || trouble=$*
}

# From here on lines count.
now() { mark=$(wc -l <$log 2>/dev/null || echo 0); }

# expect PATTERN: a line with it comes after the last one that was expected.
expect() {
  [ -z "$trouble" ] || return
  tries=0
  until found=$(tail -n +$((mark + 1)) $log | grep -n -m 1 -E "camera $1"); do
    tries=$((tries + 1))
    [ $tries -lt $((slow * 5)) ] || { fail "no line 'camera $1' came"; return; }
    sleep 0.2
  done
  mark=$((mark + ${found%%:*}))
}

# value COUNTER: its newest value.
value() {
  found=$(grep -o "camera counters .*" $log | tail -n 1 | grep -o "$1=[0-9]*")
  found=${found#*=}
  echo "${found:-0}"
}

# grows COUNTER: it does, from what it is now.
grows() {
  [ -z "$trouble" ] || return
  before=$(value "$1")
  tries=0
  until [ "$(value "$1")" -gt "$before" ]; do
    tries=$((tries + 1))
    [ $tries -lt $((slow * 5)) ] || { fail "the counter $1 stays at $before"; return; }
    sleep 0.2
  done
}

# The picture is back: frames are taken, and none stays without a trace.
recovers() {
  expect streaming
  goes_on
}

goes_on() {
  grows taken
  alive
  [ "$(value captured)" -le $(($(value taken) + $(value dropped) + 1)) ] || fail 'counters do not add up'
}

# scenario NAME PROGRAM [ARGUMENTS]: runs the function of that name; those that start the program get it.
scenario() {
  trouble=
  name=$1
  shift
  now
  "$name" "$@"
  if [ -z "$trouble" ]; then
    echo "ok $camera $name"
  else
    echo "not ok $camera $name: $trouble"
    tail -n 12 $log | sed 's/^/    /'
    failed=$((failed + 1))
  fi
}

# ---------------------------------------------------------------- camera 1: vivid

occupy() { v4l2-ctl -d /dev/video0 --stream-mmap=4 --stream-count=1000000 >/dev/null 2>&1 & occupier=$!; }
release() { kill "$occupier"; wait "$occupier"; } 2>/dev/null
until_node() { until [ -c "$1" ]; do sleep 0.05; done; }

absent_at_start() {
  camera unplug
  start "$@"
  expect 'lost: no camera'
  camera plug
  recovers
  end
}

busy_at_start() {
  occupy
  sleep 1
  start "$@"
  expect 'lost: .*used by another program'
  release
  recovers
  end
}

starts() {
  start "$@"
  recovers
}

unplugged_and_plugged_in() {
  camera unplug
  expect lost
  sleep 1
  camera plug
  recovers
}

unplugged_often() {
  for round in 1 2 3; do
    camera unplug
    camera plug
    recovers
  done
}

# Somebody else's open descriptor holds the old node.
comes_back_under_another_node() {
  sleep 1000 </dev/video0 &
  holder=$!
  sleep 0.5
  camera unplug
  expect lost
  camera plug
  until_node /dev/video1
  expect 'streaming .*/dev/video1'
  goes_on
  kill $holder
  sleep 0.5
  now
  camera unplug
  expect lost
  camera plug
  expect 'streaming .*/dev/video0'
  goes_on
}

is_disconnected() {
  camera set disconnect=1
  expect lost
  recovers
}

fails_while_streaming() {
  camera set inject_fatal_streaming_error=1
  expect lost
  recovers
}

marks_a_frame_as_broken() {
  broken=$(value broken)
  camera set inject_v4l2_buf_flag_error=1
  [ "$(value broken)" -gt "$broken" ] || { sleep 2; [ "$(value broken)" -gt "$broken" ]; } || grows broken
  goes_on
}

drops_frames() {
  camera set percentage_of_dropped_buffers=30
  grows gaps
  goes_on
  camera set percentage_of_dropped_buffers=0
}

takes_no_buffer() {
  camera set inject_vidioc_qbuf_error=1
  expect 'lost: .*Invalid argument'
  recovers
}

gives_no_buffers() {
  camera set inject_vidioc_reqbufs_error=1 inject_fatal_streaming_error=1
  expect 'lost: .*Invalid argument'
  recovers
}

does_not_start_a_stream() {
  camera set inject_vidioc_streamon_error=1 inject_fatal_streaming_error=1
  expect 'lost: .*Invalid argument'
  recovers
}

# Clock and count are near their ends when the stream starts again.
wraps_clock_and_count() {
  gaps=$(value gaps)
  camera set wrap_timestamp=1 wrap_sequence_number=1 inject_fatal_streaming_error=1
  expect lost
  recovers
  sleep 10
  goes_on
  [ $(($(value gaps) - gaps)) -lt 1000 ] || fail 'the wrapped count was taken for lost frames'
  camera set wrap_timestamp=0 wrap_sequence_number=0
}

ends_when_asked() { end; }

# ---------------------------------------------------------------- camera 2: a USB webcam

tell() { echo "$*" >&5; }

plug_in() {
  webcam "${WEBCAM_RATE:-10}" /rig/*.jpg <&5 &
  webcam=$!
  until_node /dev/video0
}

pull_out() {
  kill $webcam
  wait $webcam 2>/dev/null
  while [ -e /dev/video0 ]; do sleep 0.05; done
}

freezes() {
  tell freeze
  expect frozen
  tell ok
  recovers
}

freezes_until_it_is_opened_again() {
  reopened=$(value reopened)
  tell freeze
  expect frozen
  tries=0
  until [ "$(value reopened)" -gt "$reopened" ] || [ $tries -ge "$slow" ]; do
    sleep 1
    tries=$((tries + 1))
  done
  [ "$(value reopened)" -gt "$reopened" ] || fail 'a frozen camera was not opened again'
  tell ok
  recovers
}

truncates() {
  tell truncate
  grows broken
  tell ok
  goes_on
}

corrupts() {
  tell corrupt
  grows broken
  tell ok
  goes_on
}

# The kernel drops such frames: to the program it is a frozen camera.
sends_empty_frames() {
  tell empty
  expect frozen
  tell ok
  recovers
}

marks_frames_as_bad() {
  tell error
  expect frozen
  tell ok
  recovers
}

refuses_to_start() {
  pull_out
  expect lost
  tell refuse
  plug_in
  expect 'lost: .*failed'
  tell ok
  recovers
}

slows_down() {
  tell fps 2
  goes_on
  tell fps "${WEBCAM_RATE:-10}"
  goes_on
}

is_pulled_out_and_plugged_in() {
  for round in 1 2 3; do
    pull_out
    expect lost
    plug_in
    recovers
  done
}

# ---------------------------------------------------------------- the screen

# What is on the display is saved for people to look at, in the shared folder.
shows_camera_and_trouble() {
  start "$@" --screen drm --script /run/script
  recovers
  sleep "${SETTLE:-8}"
  shot live
  camera unplug
  expect lost
  sleep 5
  shot unplugged
  camera plug
  recovers
  sleep 5
  shot plugged-in
}

# With the real nets: a person of the webcam in a T-shirt of the catalogue.
dresses_a_person() {
  mkdir -p /tmp/garments
  cp /rig/tee-red-print.* /tmp/garments
  printf 'at 1 wake\nat 20 wear tee-red-print\n' >/run/script
  start "$@" --screen drm --script /run/script --models /rig --catalogue /tmp/garments
  recovers
  sleep "${SETTLE:-60}"
  shot dressed
}

# ---------------------------------------------------------------- the run

case $camera in
  vivid)
    list='absent_at_start busy_at_start starts unplugged_and_plugged_in unplugged_often
      comes_back_under_another_node is_disconnected fails_while_streaming marks_a_frame_as_broken
      drops_frames takes_no_buffer gives_no_buffers does_not_start_a_stream wraps_clock_and_count
      ends_when_asked'
    ;;
  screen)
    echo 'at 0.5 wake' >/run/script
    list='shows_camera_and_trouble ends_when_asked'
    ;;
  dressed)
    mkfifo /run/webcam
    exec 5<>/run/webcam
    plug_in
    list='dresses_a_person ends_when_asked'
    ;;
  webcam)
    mkfifo /run/webcam
    exec 5<>/run/webcam
    plug_in
    list='starts freezes freezes_until_it_is_opened_again truncates corrupts sends_empty_frames
      marks_frames_as_bad slows_down refuses_to_start is_pulled_out_and_plugged_in ends_when_asked'
    ;;
esac
for each in ${SCENARIOS:-$list}; do scenario "$each" "$@"; done
[ -z "$program" ] || kill "$program"
[ -z "$SHOW_LOG" ] || cat $log
dmesg | grep -iE 'warning:|bug:|call trace' && failed=$((failed + 1))
exit $failed
