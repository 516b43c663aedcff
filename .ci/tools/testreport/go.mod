module github.com/metapipe/metapipe/tools/testreport

go 1.26.0
