(component (import "host" (instance (export "nested" (func)))))
