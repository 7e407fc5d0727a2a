package main

import "github.com/keyslot-go/keyslot"

func main() {}

var _ keyslot.Options
