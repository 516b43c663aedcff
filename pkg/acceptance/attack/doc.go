// Package attack tests what someone without the rights tries, script by script of testdata/attack.
package attack
