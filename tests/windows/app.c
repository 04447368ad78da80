/* The application of the tests under wine: says its version and the command
   line it got, ends as it is told to. For the tests it also holds files open,
   starts programs as a shortcut does, and loads a library by its name. */
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

static int ready(const char *word) {
  puts(word);
  return fflush(stdout);
}

/* --hold SHARE SECONDS FILE...: opens files for reading, and shares that. */
static int hold(int argc, wchar_t **argv) {
  DWORD share = wcstoul(argv[2], NULL, 0);
  for (int i = 4; i < argc; i++) {
    if (CreateFileW(argv[i], GENERIC_READ, share, NULL, OPEN_EXISTING, 0, NULL) ==
        INVALID_HANDLE_VALUE) {
      say("cannot open", argv[i]);
      return 1;
    }
  }
  ready("ready");
  Sleep(1000 * wcstoul(argv[3], NULL, 0));
  return 0;
}

/* --shortcut LINK PROGRAM: starts a program as a shortcut that wants its window small. */
static int shortcut(wchar_t **argv) {
  STARTUPINFOW how = {sizeof how};
  PROCESS_INFORMATION made;
  DWORD code = 1;
  how.lpTitle = argv[2];
  how.wShowWindow = SW_SHOWMINNOACTIVE;
  how.dwFlags = STARTF_USESHOWWINDOW | STARTF_TITLEISLINKNAME;
  if (!CreateProcessW(argv[3], NULL, NULL, NULL, TRUE, 0, NULL, NULL, &how, &made)) return 1;
  WaitForSingleObject(made.hProcess, INFINITE);
  GetExitCodeProcess(made.hProcess, &code);
  return code;
}

/* What it was told about its first window. */
static void say_startup(void) {
  STARTUPINFOW told = {sizeof told};
  GetStartupInfoW(&told);
  printf("shown %lu as %d%s%s\n", told.dwFlags & STARTF_USESHOWWINDOW, told.wShowWindow,
         told.dwFlags & STARTF_TITLEISLINKNAME ? " by a link" : "",
         told.dwFlags & STARTF_TITLEISAPPID ? " with an id" : "");
  say("title", told.lpTitle ? told.lpTitle : L"");
}

int wmain(int argc, wchar_t **argv) {
  if (argc > 4 && !wcscmp(argv[1], L"--hold")) return hold(argc, argv);
  if (argc == 4 && !wcscmp(argv[1], L"--shortcut")) return shortcut(argv);
  if (argc == 3 && !wcscmp(argv[1], L"--load")) return LoadLibraryW(argv[2]) == NULL;
  if (argc == 2 && !wcscmp(argv[1], L"--sleep")) {
    ready("ready");
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
  say_startup();
  const char *code = getenv("E2E_EXIT");
  return code ? (int)strtoul(code, NULL, 0) : 0;
}
