/* Whether AddressSanitizer looks on: everything then takes five to ten times as long, and long tests do less of the same. */
#ifndef OSPREY_SANITIZED_H
#define OSPREY_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif
#else
enum { SANITIZED = 0 };
#endif

#endif
