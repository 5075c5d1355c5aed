(module (import "nowhere" "next" (func)))
