#include "sanitizer.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>

#if SANITIZED

/* sanitizer/common_interface_defs.h; not there in a build for valgrind. */
extern void __sanitizer_sandbox_on_notify(void *arguments)
	__attribute__((weak));
int __lsan_is_turned_off(void);

void sanitizer_prepare(void)
{
	size_t arguments[8] = { 0 };

	if (__sanitizer_sandbox_on_notify)
		__sanitizer_sandbox_on_notify(arguments);
}

bool sanitizer_checks_leaks(void)
{
	return getenv("RINGSWITCH_LEAK_CHECK");
}

/* Asked at exit: it would fail, and say that the program has. The stages seal
 * the process (or the call is forbidden already), unless leaks are looked for. */
int __lsan_is_turned_off(void)
{
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1;
}

#else

void sanitizer_prepare(void)
{
}

bool sanitizer_checks_leaks(void)
{
	return false;
}

#endif
