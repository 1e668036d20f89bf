// Command source-okta reads Okta for Airbyte: spec, check, discover, read.
package main

import (
	"os"

	"source-okta/source"
)

func main() { os.Exit(source.Main()) }
