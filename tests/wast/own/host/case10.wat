(component (import "host" (instance (export "nested" (instance (export "f" (func)))))))
