// Package attack tests what somebody without the rights tries, script by script of testdata/attack.
package attack
