(module (import "env" "nothing" (func)))
