{
  description = "a project of nixos-compose, as its users have them";
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/23.05";
    nxc.url = "git+https://git.example/nixos-compose/nixos-compose.git";
    kapack.url = "github:example/nur-kapack";
    kapack.inputs.nixpkgs.follows = "nixpkgs";
  };
  outputs = { self, nixpkgs, nxc, kapack }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
    in
    {
      packages.${system} = nxc.lib.compose {
        inherit nixpkgs system;
        composition = ./composition.nix;
        setup = ./setup.toml;
        repoOverrides = { inherit kapack; };
        overlays = [ (final: prev: { greet = final.writeShellScriptBin "greet" "echo hello"; }) ];
        extraConfigurations = [ { environment.variables.EVERYWHERE = "yes"; } ];
      };
      defaultPackage.${system} = self.packages.${system}."composition::vm";
      devShell.${system} = nxc.devShells.${system}.nxcShell;
    };
}
