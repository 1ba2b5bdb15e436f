/*
 * Builds with the address sanitizer: its run-time has wishes of its own, which
 * a process without files cannot fulfil later. In other builds there is nothing
 * here.
 */
#ifndef SANITIZER_H
#define SANITIZER_H

#include <stdbool.h>

#ifndef __has_feature /* gcc and clang have different words for it */
#define __has_feature(x) 0
#endif

#ifndef SANITIZED
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#endif

/* Files go out of reach: have the run-time read what its reports need. */
void sanitizer_prepare(void);

/*
 * Whether RINGSWITCH_LEAK_CHECK is set and this is such a build: what has not
 * been freed is then looked for at the end. That needs /proc and ptrace(2), so
 * that such a process does not go farther than to the stage HELPER. Builds
 * that are meant to be used know no such word.
 */
bool sanitizer_checks_leaks(void);

#endif
