(component (import "test:nowhere/at-all" (instance (export "f" (func)))))
