// Package pipelinetest sets up one manager and one customer for the tests of the use
// cases: with a store on disk, real sealing, a double of GitHub and one of the engine.
// A test carries requests through it with the same commands that a run uses.
package pipelinetest
