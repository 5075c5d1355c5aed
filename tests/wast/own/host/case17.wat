(component (import "host" (instance
  (export "resource1" (type $r (sub resource))) (export "resource2" (type (sub resource)))
  (export "resource1-again" (type (eq $r))) (export "a-name-of-mine" (type (eq $r))))))
