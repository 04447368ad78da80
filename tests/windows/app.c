/* The application of the tests under wine: says its version and the command
   line it got, ends as it is told to. Also locks a file, for the tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#ifdef CRASHES
#define CRASH 1
#else
#define CRASH 0
#endif

/* Ends with the code of the exception, as without a debugger. */
static LONG WINAPI end(EXCEPTION_POINTERS *what) {
  (void)what;
  return EXCEPTION_EXECUTE_HANDLER;
}

static void say(const char *what, const wchar_t *text) {
  static char utf8[1 << 16];
  WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, sizeof utf8, NULL, NULL);
  printf("%s %s\n", what, utf8);
}

int wmain(int argc, wchar_t **argv) {
  if (argc == 3 && !wcscmp(argv[1], L"--lock")) {
    HANDLE file = CreateFileW(argv[2], GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    puts(file == INVALID_HANDLE_VALUE ? "failed" : "ready");
    fflush(stdout);
    Sleep(60000);
  }
  if (argc == 2 && !wcscmp(argv[1], L"--sleep")) {
    puts("ready");
    fflush(stdout);
    Sleep(60000);
  }
  if (CRASH) {
    SetUnhandledExceptionFilter(end);
    *(volatile int *)0 = 1;
  }
  printf("version %s\n", VERSION);
  say("command", GetCommandLineW());
  wchar_t folder[1 << 12];
  GetCurrentDirectoryW(1 << 12, folder);
  say("folder", folder);
  const char *code = getenv("E2E_EXIT");
  return code ? (int)strtoul(code, NULL, 0) : 0;
}
