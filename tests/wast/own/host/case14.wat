(component (import "host" (instance $host (export "simple-module" (core module)))) (core instance (instantiate (module $host "simple-module"))))
