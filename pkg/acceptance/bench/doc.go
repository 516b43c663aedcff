// Package bench tests what metapipe costs beside bare terraform, as ratios.
package bench
