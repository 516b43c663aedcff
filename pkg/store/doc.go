// Package store keeps objects under slash-separated keys, and seals what is
// secret before it gets there: Directory is a store in a directory of one
// machine, S3 one in a bucket that many share, Sealer encrypts with
// authentication.
package store
