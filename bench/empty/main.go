// Command empty is the least that a Go program can be: what the module's bytes are held against.
package main

func main() {}
