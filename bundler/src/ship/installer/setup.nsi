; The installer for Windows that `notsotuf ship --installer setup` makes, for one user and without
; an administrator's rights. VALUES and FILES are files that it writes: names and texts, and the
; commands that unpack the first-install folder. A script of the project's own (`script` under
; [installer]) gets the same.
!include "${VALUES}"
Target ${TARGET}
ManifestDPIAware true
ManifestLongPathAware true
ManifestSupportedOS all
RequestExecutionLevel user
SetCompressor /SOLID lzma
SetDateSave off
!include LogicLib.nsh
!include FileFunc.nsh
!include MUI2.nsh

!define ENTRY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${APP}"

Name "${TITLE}" "${TITLE_IN_CONTROLS}"
OutFile "${OUTPUT}"
BrandingText " "
InstallDir "$LOCALAPPDATA\Programs\${FOLDER}"
; Where it was installed before.
InstallDirRegKey HKCU "${ENTRY}" "InstallLocation"
VIProductVersion "${FOUR_NUMBERS}"
VIAddVersionKey "ProductName" "${TITLE}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "${TITLE} Setup"
VIAddVersionKey "CompanyName" "${PUBLISHER}"
VIAddVersionKey "LegalCopyright" "${PUBLISHER}"

!ifdef ICON
  !define MUI_ICON "${ICON}"
  !define MUI_UNICON "${ICON}"
!endif
!define MUI_FINISHPAGE_RUN "$INSTDIR\${PROGRAM}"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; Has the updater remove what is installed: it knows which files are a release's. Asks to try again
; while the application runs; a silent run ends with the updater's exit code.
!macro REMOVE_RELEASE UPDATER OPTIONS
  !define AGAIN again_${__LINE__}
  ${Do}
    nsExec::ExecToStack '"${UPDATER}" --updater uninstall ${OPTIONS}'
    Pop $0
    Pop $1
    ${If} $0 == 0
      ${ExitDo}
    ${EndIf}
    MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "${TITLE} cannot be replaced or removed now.$\r$\n$\r$\n$1" \
      /SD IDCANCEL IDRETRY ${AGAIN}
    Delete "$INSTDIR\setup-${PROGRAM}"
    SetErrorLevel 5
    Quit
    ${AGAIN}:
  ${Loop}
  !undef AGAIN
!macroend

Section
  SetShellVarContext current
  CreateDirectory "$INSTDIR"
  SetOutPath "$INSTDIR"
  ${If} ${FileExists} "$INSTDIR\app\*.*"
    ; By the new updater: the one that is there may not know the command.
    File "/oname=setup-${PROGRAM}" "${SHIPPED}/${PROGRAM}"
    !insertmacro REMOVE_RELEASE "$INSTDIR\setup-${PROGRAM}" "--keep-state"
    Delete "$INSTDIR\setup-${PROGRAM}"
  ${EndIf}
  ClearErrors
  SetOverwrite try
  !include "${FILES}"
  ${If} ${Errors}
    MessageBox MB_OK|MB_ICONSTOP "Some files of ${TITLE} could not be written. Close it, and try again." /SD IDOK
    SetErrorLevel 5
    Abort
  ${EndIf}
  SetOutPath "$INSTDIR"
  WriteUninstaller "$INSTDIR\uninstall.exe"

  CreateShortcut "$SMPROGRAMS\${TITLE_OF_FILES}.lnk" "$INSTDIR\${PROGRAM}" "" "$INSTDIR\${PROGRAM}" 0
  !ifdef DESKTOP_SHORTCUT
    CreateShortcut "$DESKTOP\${TITLE_OF_FILES}.lnk" "$INSTDIR\${PROGRAM}" "" "$INSTDIR\${PROGRAM}" 0
  !endif

  ; The updater keeps DisplayVersion current; it finds the entry by InstallLocation.
  WriteRegStr HKCU "${ENTRY}" "DisplayName" "${TITLE}"
  WriteRegStr HKCU "${ENTRY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${ENTRY}" "DisplayIcon" '"$INSTDIR\${PROGRAM}",0'
  WriteRegStr HKCU "${ENTRY}" "Publisher" "${PUBLISHER}"
  WriteRegStr HKCU "${ENTRY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${ENTRY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${ENTRY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  !ifdef HOMEPAGE
    WriteRegStr HKCU "${ENTRY}" "URLInfoAbout" "${HOMEPAGE}"
  !endif
  WriteRegDWORD HKCU "${ENTRY}" "NoModify" 1
  WriteRegDWORD HKCU "${ENTRY}" "NoRepair" 1
  WriteRegDWORD HKCU "${ENTRY}" "EstimatedSize" ${KILOBYTES}
SectionEnd

Section Uninstall
  SetShellVarContext current
  SetOutPath "$TEMP"
  ${If} ${FileExists} "$INSTDIR\${PROGRAM}"
    !insertmacro REMOVE_RELEASE "$INSTDIR\${PROGRAM}" ""
  ${EndIf}
  ${If} ${FileExists} "$INSTDIR\app\*.*"
    MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 \
      "Files that were made after the installation are left in $INSTDIR\app. Remove them, too?" \
      /SD IDNO IDNO keep
    RMDir /r "$INSTDIR\app"
    keep:
  ${EndIf}
  RMDir /r "$INSTDIR\.notsotuf"
  Delete "$INSTDIR\${PROGRAM}"
  Delete "$INSTDIR\notsotuf.toml"
  Delete "$INSTDIR\root.json"
  Delete "$INSTDIR\uninstall.exe"
  ; Only if nothing is left in it.
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${TITLE_OF_FILES}.lnk"
  Delete "$DESKTOP\${TITLE_OF_FILES}.lnk"
  DeleteRegKey HKCU "${ENTRY}"
SectionEnd
