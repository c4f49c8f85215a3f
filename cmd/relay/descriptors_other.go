//go:build !unix

package main

// maxFiles is how many files may be open at once; 0 if that is unknown.
func maxFiles() uint64 { return 0 }
