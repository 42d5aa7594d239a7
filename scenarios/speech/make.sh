#!/bin/sh
# Makes the speech fixtures anew: needs espeak-ng 1.51 and sox 14.4. Run it in this folder.
set -eu

say() { # NAME VOICE WORDS-PER-MINUTE TEXT
    espeak-ng -v "$2" -s "$3" --stdout "$4" |
        sox -R -t wav - -r 24000 -b 16 -c 1 "$1" silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse norm -3
}

say hello-24k.wav en-us 190 "Hello, can you hear me?"
say weather-24k.wav en-gb 170 "What is the weather in Oslo?"
say wait-24k.wav en-us+f3 180 "Wait, stop."
